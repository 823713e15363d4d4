"""What a recipe's `lora` may say, alone and on the model that it names."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model

from stagelift.evals.models.model import ModelRef, load_base
from stagelift.evals.models.pretrained import skeleton
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import prepare
from stagelift.stages.lora_settings import as_stored, check_goes_on, check_lora, lora_config
from stagelift.stages.principal import with_principal_adapter
from stagelift.stages.reference import copied_whole
from stagelift.stages.targets import check_targets
from tests.adapters import make_adapter

PLAIN: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}
RECIPE = """
name: lora
model: {{path: "{model}", dtype: float32}}
lora: {lora}
data: {{path: bundled/schoolmath, limit: 16}}
stages: {stages}
evals: {{accuracy: {{limit: 2}}}}
"""


def on_skeleton(model: Path, lora: dict[str, Any]) -> None:
    config = lora_config({**PLAIN, **lora})
    with torch.device("meta"):
        policy = get_peft_model(skeleton(str(model), None), config)
    assert isinstance(policy, PeftModel)
    check_targets(policy, config)


def checked(folder: Path, model: Path, lora: str, stages: str, recipe: str = RECIPE) -> None:
    """Check a recipe as `--dry-run` does."""
    text = recipe.format(model=model.as_posix(), lora=lora, stages=stages)
    (folder / "lora.yaml").write_text(text)
    prepare(load_recipe(str(folder / "lora.yaml"), []), Store(folder / "runs"))
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("lora", "problem"),
    [
        ({"target_modules": ["q_proj", "qproj"]}, "target_modules names 'qproj', .* mean 'q_proj'"),
        ({"target_modules": ".*(q_proj|lm_head)"}, "it would lie on the output layer"),
        ({"modules_to_save": ["score"]}, "modules_to_save names 'score'"),
        ({"rank_pattern": {"k_proj": 2}}, "rank_pattern names 'k_proj', and no targeted layer"),
        ({"alpha_pattern": {"k_proj": 2}}, "alpha_pattern names 'k_proj', and no targeted layer"),
        ({"layers_to_transform": [1, 2]}, "names layer 2, .*the model has 2, from 0 on"),
        ({"trainable_token_indices": [600]}, "names token 600, and the vocabulary has 600"),
        ({"lora_bias": True}, "lora_bias needs layers with a bias, .* 'q_proj' has none"),
        ({"init_lora_weights": "olora", "r": 33}, "'q_proj' has 32: lower r"),
        (
            {"init_lora_weights": "pissa", "target_modules": ["q_proj", "embed_tokens"]},
            "is for linear layers, and 'embed_tokens' is none",
        ),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_what_the_model_has_not_is_named(
    lora: dict[str, Any], problem: str, tiny_model: Path
) -> None:
    with pytest.raises(ValueError, match=problem):
        on_skeleton(tiny_model, lora)


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": "all-linear"},
        {"target_modules": r".*\.1\..*_proj"},
        {"target_modules": ["q_proj", "embed_tokens"], "modules_to_save": ["lm_head"]},
        {"exclude_modules": ["v_proj"], "rank_pattern": {r".*\.q_proj": 2}},
        {"target_modules": [], "target_parameters": ["q_proj.weight"]},
        {"trainable_token_indices": {"embed_tokens": [5, 599]}},
    ],
    ids=lambda lora: next(iter(lora)),
)
def test_what_the_model_has_is_taken(lora: dict[str, Any], tiny_model: Path) -> None:
    on_skeleton(tiny_model, lora)


def test_task_type_may_be_said_as_the_examples_of_peft_say_it() -> None:
    for said in ("CAUSAL_LM", None):
        assert lora_config({**PLAIN, "task_type": said}).task_type == "CAUSAL_LM"
    with pytest.raises(ValueError, match="task_type is 'SEQ_CLS', and stages train language"):
        check_lora({**PLAIN, "task_type": "SEQ_CLS"})


def test_a_recipe_takes_numbers_that_yaml_left_as_strings(tiny_model: Path, tmp_path: Path) -> None:
    lora = '{r: "4", lora_alpha: "8", lora_dropout: "0.1", target_modules: [q_proj]}'
    checked(tmp_path, tiny_model, lora, "[sft: {args: {max_steps: 1}}]")
    recipe = load_recipe(str(tmp_path / "lora.yaml"), [])
    assert (recipe.lora["r"], recipe.lora["lora_dropout"]) == (4, 0.1)


@pytest.mark.parametrize(
    ("lora", "stages", "problem"),
    [
        ("{target_modules: q_proj}", "[sft: {}]", r"regular expression .* such as \[q_proj\]"),
        ("{target_modules: [lm_head]}", "[sft: {}]", r"modules_to_save: \[lm_head\]"),
        ("{bias: all}", "[sft: {}, dpo: {}]", "bias is 'all', and stage 'dpo' measures its"),
        (
            "{bias: lora_only}",
            "[grpo: {rewards: [brevity], args: {beta: 0.1}}]",
            "bias is 'lora_only', and stage 'grpo'",
        ),
        ("{init_lora_weights: loftq}", "[sft: {}]", "'loftq', which quantises the weights again"),
    ],
)
def test_a_recipe_is_refused_before_anything_is_loaded(
    lora: str, stages: str, problem: str, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=problem):
        checked(tmp_path, tiny_model, lora, stages)


def test_whole_layers_are_not_trained_between_others_in_16_bits_on_a_cpu(
    tiny_model: Path, tmp_path: Path
) -> None:
    given = make_adapter(tiny_model, tmp_path / "given", modules_to_save=["norm"])
    checkpoint = f'checkpoint: {{adapter: "{given.as_posix()}"}}'
    whole, plain = (
        "{target_modules: [q_proj], modules_to_save: [norm]}",
        "{target_modules: [q_proj]}",
    )
    in_16_bits = RECIPE.replace("float32", "bfloat16")
    for lora, stages in ((whole, "[sft: {}]"), (plain, f"[{checkpoint}, sft: {{}}]")):
        with pytest.raises(
            UsageError, match=r"do not mix with others in bfloat16 .*model.dtype: float32"
        ):
            checked(tmp_path, tiny_model, lora, stages, in_16_bits)
        checked(tmp_path, tiny_model, lora, stages)


def test_biases_are_trained_where_no_stage_has_a_reference(
    tiny_model: Path, tmp_path: Path
) -> None:
    stages = (
        "[sft: {}, grpo: {rewards: [brevity], args: {max_steps: 1}}, dpo: {lora: {bias: none}}]"
    )
    checked(tmp_path, tiny_model, "{bias: all, target_modules: [q_proj]}", stages)


@pytest.mark.parametrize(
    ("settings", "lora", "problem"),
    [
        ({"bias": "all"}, "{}", "whose settings say bias: all"),
        ({}, "{init_lora_weights: pissa}", "says how a new one starts"),
    ],
)
def test_an_adapter_from_elsewhere_is_gone_on_from_where_that_can_hold(
    settings: dict[str, Any], lora: str, problem: str, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(tiny_model, tmp_path / "given", **settings)
    checkpoint = f'checkpoint: {{adapter: "{adapter.as_posix()}"}}'
    with pytest.raises(UsageError, match=problem):
        checked(tmp_path, tiny_model, lora, f"[{checkpoint}, dpo: {{}}]")


def test_an_adapter_with_other_layers_is_not_trained_on() -> None:
    with pytest.raises(ValueError, match="say layer_replication: training it here would start"):
        check_goes_on("sft", "a", {"layer_replication": [[0, 2]]}, has_reference=False)
    check_goes_on("sft", "a", {"bias": "all"}, has_reference=False)


def test_what_began_with_a_part_of_the_weights_is_stored_with_twice_the_rank(
    tiny_model: Path,
) -> None:
    lora = {**PLAIN, "init_lora_weights": "olora", "use_rslora": True}
    base = load_base(ModelRef(path=str(tiny_model), dtype="float32", device="cpu"))
    before = base.model.layers[0].self_attn.q_proj.weight.clone()
    policy = with_principal_adapter(base, lora_config(lora))
    stored = policy.peft_config["default"]
    assert as_stored(lora)["r"] == stored.r == 8 and stored.init_lora_weights is True
    layer = policy.get_base_model().model.layers[0].self_attn.q_proj
    assert torch.equal(layer.get_base_layer().weight, before)
    assert layer.scaling["default"] == pytest.approx(8 / 4**0.5)


def test_a_reference_is_a_copy_of_embeddings_too(tiny_model: Path) -> None:
    base = load_base(ModelRef(path=str(tiny_model), dtype="float32", device="cpu"))
    lora = {**PLAIN, "target_modules": ["embed_tokens"]}
    policy = get_peft_model(base, lora_config(lora))
    assert isinstance(policy, PeftModel)
    copied_whole(policy)
    policy.add_adapter("ref", policy.peft_config["default"])
    embedding = policy.get_input_embeddings()
    assert torch.equal(embedding.lora_embedding_B["ref"], embedding.lora_embedding_B["default"])
