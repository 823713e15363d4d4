import re
from pathlib import Path

import pytest

from stagelift.evals.data.source import Source
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import evaluation_recipe, load_recipe, shipped_recipes

MINIMAL = "name: mine\nstages: [sft]\nevals: {accuracy: {limit: 8}}\n"


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_shipped_recipes_are_valid() -> None:
    assert shipped_recipes() == [
        *("gsm8k", "lattice", "quickstart"),
        *("t4-qwen2.5-0.5b", "t4-qwen2.5-3b-4bit"),
    ]
    for name in shipped_recipes():
        assert load_recipe(name, []).name == name


def test_the_recipe_of_the_page_about_recipes_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(name: mine\n.*?)```", page, flags=re.DOTALL)
    commented = text.replace("  # - kto:", "  - kto:").replace("  # - rloo:", "  - rloo:")
    recipe = load_recipe(write(tmp_path, commented), ["stages.kto.args.max_steps=3"])
    assert [stage.kind for stage in recipe.stages] == ["sft", "dpo", "kto", "grpo", "rloo"]


def test_the_quickstart_trains_each_stage_on_what_it_is_for() -> None:
    recipe = load_recipe("quickstart", [])
    sft, dpo, grpo = recipe.stages
    assert sft.dataset == Source(path="bundled/schoolmath", split="two_styles")
    prompts = recipe.evals.preference.prompts
    assert dpo.dataset is not None and prompts is not None
    assert (dpo.dataset.path, dpo.dataset.split) == (prompts.path, "train")
    assert (grpo.dataset, recipe.data.path, grpo.rewards) == (
        None,
        "bundled/schoolmath",
        ["correctness"],
    )


def test_the_lattice_shares_all_the_quickstart_trains() -> None:
    quickstart, lattice = load_recipe("quickstart", []), load_recipe("lattice", [])
    shared = {"name", "lattice"}
    assert quickstart.model_dump(exclude=shared) == lattice.model_dump(exclude=shared)


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
    recipe = load_recipe(
        "quickstart", ["stages.sft.args.learning_rate=2e-4", "stages.0.args.x=1"][:1]
    )
    assert recipe.stages[0].args["learning_rate"] == 2e-4


def test_set_reaches_a_stage_by_kind_or_position() -> None:
    by_kind = load_recipe("quickstart", ["stages.dpo.args.max_steps=3", "seed=7", "lora.r=4"])
    by_position = load_recipe("quickstart", ["stages.1.dpo.args.max_steps=3", "seed=7", "lora.r=4"])
    assert by_kind == by_position
    assert (by_kind.stages[1].args["max_steps"], by_kind.seed, by_kind.lora["r"]) == (3, 7, 4)


TWICE = (
    "name: mine\nstages: [sft, {dpo: {args: {beta: 1}}}, sft: ]\nevals: {accuracy: {limit: 8}}\n"
)


def test_set_reaches_the_second_stage_of_a_kind_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, TWICE)
    overrides = [
        "stages.sft-2.args.max_steps=9",
        "stages.sft-2.lora.r=2",
        "stages.sft.args.max_steps=3",
        "stages.dpo={args: {beta: 2}}",
    ]
    first, dpo, second = load_recipe(path, overrides).stages
    assert (first.args, first.lora) == ({"max_steps": 3}, {})
    assert (second.args, second.lora) == ({"max_steps": 9}, {"r": 2})
    assert dpo.args == {"beta": 2}


def test_a_position_reaches_a_stage_that_is_written_without_settings(tmp_path: Path) -> None:
    stages = load_recipe(write(tmp_path, TWICE), ["stages.0.sft.args.max_steps=3"]).stages
    assert stages[0].args == {"max_steps": 3}
    replaced = load_recipe(write(tmp_path, TWICE), ["stages.0=dpo", "stages.dpo.args.beta=3"])
    assert [stage.kind for stage in replaced.stages] == ["dpo", "dpo", "sft"]
    assert replaced.stages[0].args == {"beta": 3}


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("stages.sft-3.args.max_steps=9", "no stage 'sft-3'. Stages: sft, dpo, sft-2."),
        ("stages.sft-1.args.max_steps=9", "no stage 'sft-1'. Stages: sft, dpo, sft-2."),
        ("stages.3.sft.args.max_steps=9", "no stage '3'. Stages: sft, dpo, sft-2."),
        ("stages.grpo={}", "no stage 'grpo'. Stages: sft, dpo, sft-2."),
        ("name.first=9", "leads nowhere: before 'first' there is the value 'mine'."),
        ("evals.tasks.ifeval.limit=9", "before 'ifeval' there is a list of 1"),
    ],
)
def test_a_key_that_leads_nowhere_says_what_there_is(
    override: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        load_recipe(write(tmp_path, TWICE), ["evals.tasks=[ifeval]", override])
    assert says in str(refused.value) and str(refused.value).startswith(f"--set {override}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            MINIMAL + "modle: {path: x}",
            "Unknown key 'modle' in line 4 of mine.yaml: did you mean 'model'?",
        ),
        (MINIMAL.replace("limit", "limti"), "did you mean 'limit'?"),
        (
            MINIMAL.replace("[sft]", "[ppo]"),
            "Unknown stage 'ppo'. Known stages: sft, dpo, grpo, kto, rloo.",
        ),
        (MINIMAL.replace("[sft]", "[sft: {arg: {}}]"), "did you mean 'args'?"),
        (MINIMAL.replace("[sft]", "[grpo]"), "Stage 'grpo' needs rewards"),
        (MINIMAL.replace("[sft]", "[sft: {rewards: [brevity]}]"), "takes no rewards"),
        (MINIMAL.replace("stages: [sft]", "seed: 1"), "Key 'stages' is missing"),
        (MINIMAL.replace("{limit: 8}", "{}"), "evals.accuracy.limit is missing"),
        (
            MINIMAL.replace("{limit: 8}", "{limit: many}"),
            "'evals.accuracy.limit' in line 3 of mine.yaml is 'many'",
        ),
        (MINIMAL.replace("{limit: 8}", "{task: gsm8k}"), "Task gsm8k needs GSM8K's files"),
        (MINIMAL.replace("name: mine", "name: ../mine"), "cannot be named '../mine'"),
        (MINIMAL.replace("[sft]", "[sft: 40]"), "Stage 'sft' needs its settings as keys"),
        (MINIMAL.replace("[sft]", "[sft: {kind: dpo}]"), "Stage 'sft' needs its settings as keys"),
        (MINIMAL.replace("name: mine", "name: nodes"), "cannot be named 'nodes'"),
        (MINIMAL.replace("limit: 8", "limit: 5000"), "schoolmath has 3000 test"),
        (MINIMAL + "name: twice\n", "mine.yaml, line 4: The key 'name' is given twice."),
        ("just text", "is not a recipe"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_bad_recipe_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_recipe(write(tmp_path, text), [])
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "override", ["seed", "seed=[", "stages.ppo.args.x=1", "stages.9.sft.args=1"]
)
def test_an_override_that_leads_nowhere_is_refused(override: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        load_recipe("quickstart", [override])


def test_an_unknown_recipe_names_the_shipped_ones() -> None:
    with pytest.raises(UsageError, match="quickstart"):
        load_recipe("quikstart", [])


def with_evals(section: str, folder: Path) -> Path:
    path = folder / "r.yaml"
    path.write_text(f"name: r\nstages: [sft]\nevals: {{accuracy: {{limit: 4}}, {section}}}\n")
    return path


@pytest.mark.parametrize(
    ("judge", "kind"),
    [
        ("longest", "longest"),
        ("{verdicts: {path: people.jsonl}}", "verdicts"),
        ("{reward_model: {path: rm, batch_size: 4}}", "reward_model"),
        ("{openai: {base_url: 'http://127.0.0.1:1/v1', model: m}}", "openai"),
        ("{kind: random}", "random"),
    ],
)
def test_a_judge_is_named_or_has_its_settings(judge: str, kind: str, tmp_path: Path) -> None:
    recipe = load_recipe(str(with_evals(f"preference: {{judge: {judge}}}", tmp_path)), [])
    assert recipe.evals.preference.judge.kind == kind


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("preference: {judge: {openai: {base_url: u, modle: m}}}", "did you mean 'model'"),
        (
            "preference: {judge: {openai: {base_url: u}}}",
            "Key 'evals.preference.judge.openai.model' is missing",
        ),
        (
            "preference: {judge: gpt}",
            "unknown judge, 'gpt'. Known: reference, longest, shortest, random, verdicts, "
            "reward_model",
        ),
        ("preference: {judge: {openai: 3}}", "Judge 'openai' needs its settings as keys"),
        ("preference: {prompts: {pth: x}}", "did you mean 'path'"),
        ("tasks: ifeval", "must be a list"),
        ("tasks: [ifeval, {task: ifeval, limit: 3}]", "twice"),
        ("tasks: [{task: mmlu, shots: 5}]", "Unknown key 'evals.tasks.0.shots'"),
    ],
)
def test_what_does_not_fit_in_evals_is_named(section: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        load_recipe(str(with_evals(section, tmp_path)), [])


def test_several_samples_need_a_temperature(tmp_path: Path) -> None:
    recipe = with_evals("tasks: []", tmp_path)
    with pytest.raises(UsageError, match="temperature 0 all samples are the same"):
        load_recipe(str(recipe), ["evals.accuracy.samples=4"])
    assert load_recipe(str(recipe), ["evals.accuracy.samples=4", "evals.accuracy.temperature=0.8"])


def test_preference_data_is_for_testing_unless_said() -> None:
    preference = load_recipe("quickstart", ["evals.preference.gold={path: x}"]).evals.preference
    assert preference.prompts is not None and preference.gold is not None
    assert (preference.prompts.split, preference.gold.split) == ("test", "test")
    assert (
        load_recipe("quickstart", ["evals.preference.prompts=null"]).evals.preference.prompts
        is None
    )


def test_a_recipes_evaluation_can_be_taken_for_another_model() -> None:
    recipe = evaluation_recipe("quickstart", [], "some/model", "runs/nodes/sft-1/adapter", None)
    assert (recipe.model.path, recipe.stages, recipe.name) == ("some/model", [], "sft-1-adapter")
    assert recipe.checkpoint is not None and recipe.evals == load_recipe("quickstart", []).evals


def test_what_a_recipe_says_of_its_own_model_is_not_said_of_another() -> None:
    written = {
        "name": "mine",
        "model": {"path": "one/model", "revision": "v1", "name": "start", "eos_token": "<|end|>"},
        "stages": ["sft"],
        "evals": {"accuracy": {"limit": 6}},
    }
    another = evaluation_recipe(written, [], "some/model", None, None).model
    assert (another.revision, another.name, another.eos_token) == (None, None, None)
    same = evaluation_recipe(written, [], "one/model", None, None).model
    assert (same.revision, same.name, same.eos_token) == ("v1", "start", "<|end|>")
    ended = evaluation_recipe(written, ["model.eos_token=</s>"], "some/model", None, None).model
    assert ended.eos_token == "</s>"
