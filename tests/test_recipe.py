from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.recipe import load_recipe, shipped_recipes

MINIMAL = "name: mine\nstages: [sft]\nevals: {accuracy: {limit: 8}}\n"


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_shipped_recipes_are_valid() -> None:
    assert shipped_recipes() == ["gsm8k", "quickstart", "t4-qwen2.5-0.5b"]
    for name in shipped_recipes():
        assert load_recipe(name, []).name == name


def test_the_t4_recipe_is_what_it_says() -> None:
    recipe = load_recipe("t4-qwen2.5-0.5b", [])
    assert recipe.model.path == "Qwen/Qwen2.5-0.5B"
    assert [stage.kind for stage in recipe.stages] == ["sft", "dpo", "grpo"]
    assert [(stage.dataset or recipe.data).path for stage in recipe.stages] == [
        "trl-lib/Capybara",
        "trl-lib/ultrafeedback_binarized",
        "openai/gsm8k",
    ]
    assert recipe.stages[2].rewards == ["correctness", "brevity"]
    assert (recipe.lora["r"], recipe.lora["target_modules"]) == (16, ["q_proj", "v_proj"])
    assert (recipe.evals.accuracy.task, recipe.evals.accuracy.num_fewshot) == ("gsm8k", 5)


def test_numbers_in_exponent_form_are_numbers() -> None:
    recipe = load_recipe("quickstart", ["stages.sft.args.learning_rate=2e-4", "stages.0.args.x=1"][:1])
    assert recipe.stages[0].args["learning_rate"] == 2e-4


def test_set_reaches_a_stage_by_kind_or_position() -> None:
    by_kind = load_recipe("quickstart", ["stages.dpo.args.max_steps=3", "seed=7", "lora.r=4"])
    by_position = load_recipe("quickstart", ["stages.1.dpo.args.max_steps=3", "seed=7", "lora.r=4"])
    assert by_kind == by_position
    assert (by_kind.stages[1].args["max_steps"], by_kind.seed, by_kind.lora["r"]) == (3, 7, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MINIMAL + "modle: {path: x}", "Unknown key 'modle' in mine.yaml: did you mean 'model'?"),
        (MINIMAL.replace("limit", "limti"), "did you mean 'limit'?"),
        (MINIMAL.replace("[sft]", "[ppo]"), "Unknown stage 'ppo'. Known stages: sft, dpo, grpo."),
        (MINIMAL.replace("[sft]", "[sft: {arg: {}}]"), "did you mean 'args'?"),
        (MINIMAL.replace("[sft]", "[grpo]"), "Stage 'grpo' needs rewards"),
        (MINIMAL.replace("[sft]", "[sft: {rewards: [brevity]}]"), "takes no rewards"),
        (MINIMAL.replace("stages: [sft]", "seed: 1"), "Key 'stages' is missing"),
        (MINIMAL.replace("{limit: 8}", "{}"), "evals.accuracy.limit is missing"),
        (MINIMAL.replace("{limit: 8}", "{limit: many}"), "'evals.accuracy.limit' in mine.yaml is 'many'"),
        (MINIMAL.replace("{limit: 8}", "{task: gsm8k}"), "Task gsm8k needs GSM8K's files"),
        (MINIMAL.replace("name: mine", "name: ../mine"), "'name' in mine.yaml is '../mine'"),
        (MINIMAL.replace("[sft]", "[sft: 40]"), "Stage 'sft' needs its settings as keys"),
        (MINIMAL.replace("[sft]", "[sft: {kind: dpo}]"), "Stage 'sft' needs its settings as keys"),
        (MINIMAL.replace("name: mine", "name: nodes"), "cannot be named 'nodes'"),
        (MINIMAL.replace("limit: 8", "limit: 5000"), "schoolmath has 3000 test"),
        (MINIMAL + "name: twice\n", "key 'name' is given twice"),
        ("just text", "is not a recipe"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_bad_recipe_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_recipe(write(tmp_path, text), [])
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("override", ["seed", "seed=[", "stages.ppo.args.x=1", "stages.9.sft.args=1"])
def test_an_override_that_leads_nowhere_is_refused(override: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        load_recipe("quickstart", [override])


def test_an_unknown_recipe_names_the_shipped_ones() -> None:
    with pytest.raises(UsageError, match="quickstart"):
        load_recipe("quikstart", [])
