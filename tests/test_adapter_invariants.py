"""The adapter that is measured is the one that was trained, with every option that peft documents.

`python -m tests.test_adapter_invariants` prints the table. Four things must hold, whatever the
option: a stage starts from the model that the one before ended with; what is loaded is what was
trained; DPO's first loss is ln 2; the first KL of the rewarded kinds is 0. An option that cannot
hold them is refused, and a field that a new peft brings is neither until somebody looks at it.
"""

import math
import sys
import tempfile
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from stagelift.evals.models.model import Dtype, ModelRef, load_base, load_model, tokenizer_of
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.yaml_text import write_yaml
from stagelift.harness.run import model_of, train_job
from stagelift.stages.folders import NodeFolder
from stagelift.stages.lora import load_policy
from stagelift.stages.lora_settings import REFUSED, check_lora
from stagelift.stages.records import FixedLogits
from stagelift.stages.same_model import (
    AnotherModelError,
    check_loaded_again,
    check_start,
    fixed_logits,
    fixed_tokens,
)
from stagelift.stages.train import train
from tests.conftest import CHATML, make_tiny_model

PLAIN: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}
# every option that can be trained with, on settings that are otherwise plain
OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "r": {"r": 2},
    "lora_alpha": {"lora_alpha": 2},
    "target_modules: all-linear": {"target_modules": "all-linear"},
    "target_modules: regular expression": {"target_modules": r".*\.0\..*(q|gate)_proj"},
    "target_modules: embed_tokens": {"target_modules": ["q_proj", "embed_tokens"]},
    "exclude_modules": {"exclude_modules": ["layers.0.self_attn.q_proj"]},
    "fan_in_fan_out": {"fan_in_fan_out": True},
    "use_rslora": {"use_rslora": True},
    "use_dora": {"use_dora": True},
    "modules_to_save: embed_tokens": {"modules_to_save": ["embed_tokens"]},
    "modules_to_save: lm_head": {"modules_to_save": ["lm_head"]},
    "modules_to_save: norm": {"modules_to_save": ["norm"]},
    "init_lora_weights: gaussian": {"init_lora_weights": "gaussian"},
    "init_lora_weights: orthogonal": {"init_lora_weights": "orthogonal"},
    "init_lora_weights: mica": {"init_lora_weights": "mica"},
    "init_lora_weights: pissa": {"init_lora_weights": "pissa"},
    "init_lora_weights: pissa_niter_4": {"init_lora_weights": "pissa_niter_4"},
    "init_lora_weights: olora": {"init_lora_weights": "olora"},
    "pissa and use_dora": {"init_lora_weights": "pissa", "use_dora": True},
    "pissa, use_rslora and patterns": {
        "init_lora_weights": "pissa",
        "use_rslora": True,
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {"v_proj": 3},
    },
    "layers_to_transform": {"layers_to_transform": [1]},
    "layers_pattern": {"layers_to_transform": 1, "layers_pattern": "layers"},
    "rank_pattern": {"rank_pattern": {"q_proj": 2}},
    "alpha_pattern": {"alpha_pattern": {"q_proj": 2}},
    "target_parameters": {"target_modules": [], "target_parameters": ["v_proj.weight"]},
    "trainable_token_indices": {"trainable_token_indices": [5, 60]},
    "velora_config": {"velora_config": {"num_groups": 4}},
    "monteclora_config": {"monteclora_config": {"num_samples": 2}},
    "ensure_weight_tying": {"ensure_weight_tying": True, "modules_to_save": ["embed_tokens"]},
}
# on a model whose layers have biases, with the stages that can have them
WITH_BIASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "lora_bias": ({"lora_bias": True}, ["sft", "dpo", "grpo", "kto", "rloo"]),
    "bias: all": ({"bias": "all"}, ["sft", "sft"]),
    "bias: lora_only": ({"bias": "lora_only"}, ["sft", "sft"]),
    "use_bdlora": (
        {"use_bdlora": {"target_modules_bd_b": ["q_proj", "v_proj"], "nblocks": 2}},
        ["sft", "dpo", "grpo", "kto", "rloo"],
    ),
}
# dropout keeps models as they are and adds noise to the first KL; the type is the only one there is
ELSEWHERE = {"lora_dropout", "task_type"}
QUICK = ["init_lora_weights: pissa", "target_modules: embed_tokens"]
_STEP = {"max_steps": 1, "per_device_train_batch_size": 2, "learning_rate": 1e-2}
_COMPLETIONS = {**_STEP, "num_generations": 2, "max_completion_length": 6, "beta": 0.1}
STAGES: dict[str, dict[str, Any]] = {
    "sft": {"args": {**_STEP, "max_steps": 2}},
    "dpo": {"args": _STEP},
    "grpo": {"rewards": ["brevity"], "args": _COMPLETIONS},
    "kto": {"args": _STEP},
    "rloo": {"rewards": ["brevity"], "args": _COMPLETIONS},
}


@dataclass(frozen=True)
class Measured:
    """One stage: how far logits are apart at its start and its end, how far it moved them, and what
    TRL logged of its first step.
    """

    kind: str
    start: float
    loaded: float
    moved: float
    first: dict[str, Any]

    @property
    def first_loss(self) -> float | None:
        return self.first["loss"] if self.kind == "dpo" else None

    @property
    def first_kl(self) -> float | None:
        return self.first.get("kl")


def measured(
    model: Path,
    folder: Path,
    lora: dict[str, Any],
    stages: list[str],
    of: dict[str, dict[str, Any]] = STAGES,
) -> Iterator[Measured]:
    """Train a chain in this process, and compare the models before, after and in between."""
    recipe = {
        "name": "invariants",
        "model": {"path": str(model), "dtype": "float32"},
        "lora": {**PLAIN, **lora},
        "data": {"path": "bundled/schoolmath", "limit": 16},
        "stages": [{stage: of[stage]} for stage in stages],
        "evals": {"accuracy": {"limit": 2}},
    }
    (folder / "recipe.yaml").write_text(write_yaml(recipe))
    store, before = Store(folder / "runs"), None
    for node in make_plan(load_recipe(str(folder / "recipe.yaml"), [])).nodes[1:]:
        job, place = train_job(node, store), store.node_folder(node)
        tokens = fixed_tokens(tokenizer_of(job.parent))
        before = before or fixed_logits(load_base(job.parent), "float32", tokens)
        start = fixed_logits(load_policy(job.parent, job.lora, job.seed), "float32", tokens)
        result = train(
            job.settings, job.parent, job.lora, job.seed, place.path, job.versions, lambda *_: None
        )
        place.write_result(result)
        trained = place.read_logits()
        loaded = fixed_logits(load_model(model_of(node, store)), "float32", tokens)
        yield Measured(
            node.kind,
            largest_difference(before, start),
            largest_difference(trained, loaded),
            largest_difference(start, trained),
            dict(result.history[0]),
        )
        before = trained


def largest_difference(one: FixedLogits | None, other: FixedLogits | None) -> float:
    assert one is not None and other is not None and one.tokens == other.tokens
    return (torch.tensor(one.values) - torch.tensor(other.values)).abs().max().item()


def assert_holds(stage: Measured) -> None:
    assert stage.start < 1e-6
    assert stage.loaded < 1e-6
    if stage.first_loss is not None:
        assert stage.first_loss == pytest.approx(math.log(2), abs=1e-5)
    if stage.first_kl is not None:
        assert stage.first_kl == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("option", QUICK)
def test_a_chain_stays_one_model_with(option: str, tiny_model: Path, tmp_path: Path) -> None:
    stages = list(measured(tiny_model, tmp_path, OPTIONS[option], ["sft", "dpo"]))
    for stage in stages:
        assert_holds(stage)
    # it really trained
    assert stages[0].moved > 0.01 and stages[1].moved > 0.01


@pytest.mark.real
@pytest.mark.parametrize("option", OPTIONS)
def test_every_kind_of_stage_keeps_the_model_with(
    option: str, tiny_model: Path, tmp_path: Path
) -> None:
    stages = list(measured(tiny_model, tmp_path, OPTIONS[option], list(STAGES)))
    for stage in stages:
        assert_holds(stage)
    assert all(stage.moved > 1e-4 for stage in stages if stage.kind in ("sft", "dpo", "kto"))


@pytest.mark.real
@pytest.mark.parametrize("option", WITH_BIASES)
def test_layers_with_biases_keep_the_model_with(option: str, tmp_path: Path) -> None:
    lora, kinds = WITH_BIASES[option]
    for stage in measured(biased_model(tmp_path / "model"), tmp_path, lora, kinds):
        assert_holds(stage)


@pytest.mark.real
def test_dropout_changes_neither_the_start_nor_the_reference(
    tiny_model: Path, tmp_path: Path
) -> None:
    for stage in measured(tiny_model, tmp_path, {"lora_dropout": 0.3}, ["sft", "dpo", "kto"]):
        assert_holds(stage)


def test_every_field_of_peft_is_in_the_table_or_refused_with_a_reason() -> None:
    known = {field.name for field in fields(LoraConfig)}
    tried = [*OPTIONS.values(), *(option for option, _ in WITH_BIASES.values())]
    named = {name for option in tried for name in option} | ELSEWHERE | set(REFUSED)
    assert known - named == set(), "a new peft? See what each does, and say so here"
    assert named - known == set()


def test_every_initialisation_that_peft_documents_is_in_the_table_or_refused() -> None:
    annotation = typing.get_type_hints(LoraConfig)["init_lora_weights"]
    documented = [value for part in typing.get_args(annotation) for value in typing.get_args(part)]
    assert "pissa" in documented
    tried = {
        option["init_lora_weights"] for option in OPTIONS.values() if "init_lora_weights" in option
    }
    for name in documented:
        initialised = name.replace("[number of iters]", "4")
        if initialised not in tried:
            with pytest.raises(ValueError, match=f"init_lora_weights is '{initialised}', which"):
                check_lora({**PLAIN, "init_lora_weights": initialised})


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_hold_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(ValueError, match=f"Recipe section 'lora': {name} .*Leave it out"):
        check_lora({**PLAIN, name: {"anything": 1}})


def test_a_stage_that_would_start_from_another_model_stops_and_is_not_stored(
    tiny_model: Path, tmp_path: Path
) -> None:
    chain = measured(tiny_model, tmp_path, {}, ["sft", "dpo"])
    next(chain)
    (sft,) = (tmp_path / "runs" / "nodes").glob("sft-*")
    change_weights(sft / "adapter")
    with pytest.raises(AnotherModelError, match=r"start from another model .* apart by 0"):
        next(chain)
    assert not list((tmp_path / "runs" / "nodes").glob("dpo-*/stage.json"))


def test_an_adapter_that_is_not_the_trained_one_is_found_when_it_is_loaded_again(
    tiny_model: Path, tmp_path: Path
) -> None:
    next(measured(tiny_model, tmp_path, {}, ["sft"]))
    (sft,) = (tmp_path / "runs" / "nodes").glob("sft-*")
    trained, base = NodeFolder(sft).read_logits(), plain_model(tiny_model)
    check_loaded_again(trained, base, sft / "adapter")
    change_weights(sft / "adapter")
    with pytest.raises(AnotherModelError, match="is not the one that was trained"):
        check_loaded_again(trained, base, sft / "adapter")


def test_what_lies_beside_an_adapter_that_no_stage_trained_is_not_believed(
    tiny_model: Path, tmp_path: Path
) -> None:
    chain = measured(tiny_model, tmp_path, {}, ["sft", "dpo"])
    next(chain)
    (record,) = (tmp_path / "runs" / "nodes").glob("sft-*/stage.json")
    record.with_name("logits.json").write_text('{"of": "others"}')
    record.unlink()
    assert next(chain).moved > 0.01


@pytest.mark.real
def test_an_earlier_stage_without_written_logits_is_gone_on_from(
    tiny_model: Path, tmp_path: Path
) -> None:
    chain = measured(tiny_model, tmp_path, {}, ["sft", "dpo"])
    next(chain)
    (written,) = (tmp_path / "runs" / "nodes").glob("sft-*/logits.json")
    written.unlink()
    assert next(chain).moved > 0.01


def test_what_says_nothing_finite_is_compared_with_nothing(tiny_model: Path) -> None:
    model = load_base(plain_model(tiny_model))
    said = fixed_logits(model, "float32", [5, 6, 7])
    model.get_output_embeddings().weight.data.fill_(math.nan)
    assert fixed_logits(model, "float32", [5, 6, 7]) is None
    check_start(None, model, "float32")
    with pytest.raises(AnotherModelError, match="apart by inf"):
        check_start(said, model, "float32")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("layer", ["lm_head", "embed_tokens", "norm"])
def test_layers_trained_whole_start_as_they_were_in(
    dtype: Dtype, layer: str, tiny_model: Path
) -> None:
    ref = ModelRef(path=str(tiny_model), dtype=dtype, device="cpu")
    policy = load_policy(ref, {**PLAIN, "modules_to_save": [layer]}, seed=0)
    assert fixed_logits(policy, dtype, [5, 6, 7]) is not None


def test_pissa_learns_as_it_does_where_peft_takes_its_part_out_of_the_weights(
    tiny_model: Path,
) -> None:
    ref, lora = plain_model(tiny_model), {**PLAIN, "init_lora_weights": "pissa"}
    ours = load_policy(ref, lora, seed=0)
    theirs = get_peft_model(load_base(ref), LoraConfig(task_type="CAUSAL_LM", **lora))
    tokens = torch.arange(5, 30)[None]
    for policy in (ours, theirs):
        policy(input_ids=tokens, labels=tokens).loss.backward()
    of_theirs = dict(theirs.named_parameters())
    learnt = {name: weight for name, weight in ours.named_parameters() if weight.requires_grad}
    assert len(learnt) == 8
    for name, weight in learnt.items():
        axis = 0 if "lora_A" in name else 1
        first, second = weight.grad.chunk(2, dim=axis)
        assert torch.allclose(first, of_theirs[name].grad, atol=1e-6) and first.abs().max() > 0
        assert not second.any()


def test_weight_decay_leaves_the_part_that_pissa_began_with(
    tiny_model: Path, tmp_path: Path
) -> None:
    lora = {"init_lora_weights": "pissa"}
    begun = load_policy(plain_model(tiny_model), {**PLAIN, **lora}, seed=0)
    stages = {"sft": {"args": {**_STEP, "weight_decay": 0.5, "learning_rate": 1e-1}}}
    next(measured(tiny_model, tmp_path, lora, ["sft"], stages))
    (sft,) = (tmp_path / "runs" / "nodes").glob("sft-*")
    saved = load_file(sft / "adapter" / "adapter_model.safetensors")
    for name, weight in get_peft_model_state_dict(begun).items():
        axis = 0 if "lora_A" in name else 1
        learnt, held = saved[name].chunk(2, dim=axis)
        assert torch.equal(held, weight.chunk(2, dim=axis)[1])
        assert not torch.equal(learnt, weight.chunk(2, dim=axis)[0])


def biased_model(folder: Path) -> Path:
    make_tiny_model(folder, CHATML)
    config = AutoConfig.from_pretrained(folder, attention_bias=True)
    model = AutoModelForCausalLM.from_config(config)
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.02)
    model.save_pretrained(folder)
    return folder


def plain_model(model: Path) -> ModelRef:
    return ModelRef(path=str(model), dtype="float32", device="cpu")


def change_weights(adapter: Path) -> None:
    """Change an adapter as a stage changes it."""
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({name: 1.5 * weight for name, weight in weights.items()}, file)


def print_table() -> None:
    """Print what each stage of each option came to, as a table in Markdown."""
    sys.stdout.write("| option | stage | start | loaded | moved | first loss | first KL |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as temporary:
        model = make_tiny_model(Path(temporary) / "model", CHATML)
        for number, (option, lora) in enumerate(OPTIONS.items()):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            _print(option, measured(model, folder, lora, list(STAGES)))
        biased = biased_model(Path(temporary) / "biased")
        for option, (lora, stages) in WITH_BIASES.items():
            folder = Path(temporary) / option.replace(":", "").replace(" ", "-")
            folder.mkdir()
            _print(option, measured(biased, folder, lora, stages))


def _print(option: str, stages: Iterator[Measured]) -> None:
    for stage in stages:
        sys.stdout.write(f"{_row(option, stage)}\n")
        sys.stdout.flush()


def _row(option: str, stage: Measured) -> str:
    cells = [
        option,
        stage.kind,
        *(f"{gap:.1e}" for gap in (stage.start, stage.loaded, stage.moved)),
    ]
    cells += [
        "" if value is None else f"{value:.6g}" for value in (stage.first_loss, stage.first_kl)
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print_table()
