"""LoRA in its variants, and stages with settings of their own: really trained, a few steps each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer
from stagelift.harness.graph.node import Node
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import model_of, train_job
from stagelift.stages.lora import load_policy
from stagelift.stages.records import StageResult
from stagelift.stages.train import train

# DPO's loss while policy and reference are the same
LN_2 = 0.693147
ALL_LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
STEPS: dict[str, Any] = {"max_steps": 3, "per_device_train_batch_size": 4, "learning_rate": 1e-2}


@dataclass(frozen=True)
class Trained:
    """A node that was trained, and what it started from."""

    node: Node
    result: StageResult
    started_from: ModelRef
    model: ModelRef
    folder: Path

    @property
    def first_loss(self) -> Any:
        return self.result.history[0]["loss"]

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "adapter" / "adapter_model.safetensors")


def trained(
    model: Path, folder: Path, lora: dict[str, Any], *stages: dict[str, Any]
) -> list[Trained]:
    """Train a recipe's stages one after another in this process, without measuring anything."""
    recipe = {
        "name": "lora",
        "model": {"path": str(model), "dtype": "float32"},
        "lora": lora,
        "data": {"path": "bundled/schoolmath", "limit": 16},
        "stages": [
            {kind: {"args": STEPS, **more}} for stage in stages for kind, more in stage.items()
        ],
        "evals": {"accuracy": {"limit": 2}},
    }
    (folder / "lora.yaml").write_text(yaml.safe_dump(recipe))
    store, done = Store(folder / "runs"), []
    for node in make_plan(load_recipe(str(folder / "lora.yaml"), [])).nodes[1:]:
        job, place = train_job(node, store), store.node_folder(node).path
        result = train(
            job.settings, job.parent, job.lora, job.seed, place, job.versions, lambda *_: None
        )
        done.append(Trained(node, result, job.parent, model_of(node, store), place))
    return done


def logits(model: torch.nn.Module, ref: ModelRef) -> torch.Tensor:
    tokens = load_tokenizer(ref.path, None, None)("What is 2 + 3? It is 5.", return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**tokens).logits


@pytest.mark.parametrize(
    "variant",
    [{"use_rslora": True}, {"use_dora": True}, {"target_modules": "all-linear"}],
    ids=lambda v: next(iter(v)),
)
def test_dpo_goes_on_from_what_sft_made(
    tiny_model: Path, tmp_path: Path, variant: dict[str, Any]
) -> None:
    lora = {"r": 4, "target_modules": ["q_proj", "v_proj"], **variant}
    sft, dpo = trained(tiny_model, tmp_path, lora, {"sft": {}}, {"dpo": {}})
    # the reference is SFT's model, magnitudes of DoRA included
    assert dpo.first_loss == pytest.approx(LN_2, abs=1e-5)
    assert sft.weights.keys() == dpo.weights.keys()
    changed = [
        name for name in sft.weights if not torch.equal(sft.weights[name], dpo.weights[name])
    ]
    assert set(changed) == set(sft.weights)
    assert ModelRef(**dpo.started_from.model_dump()) == sft.model and not dpo.node.starts_an_adapter
    base = logits(load_model(sft.started_from), sft.model)
    # it really trained
    assert not torch.allclose(logits(load_model(dpo.model), dpo.model), base, atol=1e-3)


def test_dora_learns_magnitudes_and_all_linear_adapts_every_layer(
    tiny_model: Path, tmp_path: Path
) -> None:
    (sft,) = trained(
        tiny_model,
        tmp_path,
        {"r": 4, "target_modules": "all-linear", "use_dora": True},
        {"sft": {}},
    )
    kinds = {name.rpartition(".lora_")[2].split(".")[0] for name in sft.weights}
    assert kinds == {"A", "B", "magnitude_vector"}
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in sft.weights} == ALL_LINEAR


def test_rslora_scales_by_the_root_of_the_rank(tiny_model: Path) -> None:
    ref = ModelRef(path=str(tiny_model), dtype="float32", device="cpu")
    for rank_stabilised, scale in ((True, 8 / 4**0.5), (False, 8 / 4)):
        lora = {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj"],
            "use_rslora": rank_stabilised,
        }
        policy = load_policy(ref, lora, seed=0)
        scales = {
            module.scaling["default"]
            for module in policy.modules()
            if isinstance(module, LoraLayer)
        }
        assert scales == {scale}


@pytest.mark.parametrize(
    "recipes",
    [
        {"r": 4, "target_modules": ["q_proj", "v_proj"]},
        {"r": 4, "target_modules": ["q_proj"], "use_dora": True},
    ],
    ids=["lora", "dora"],
)
def test_a_stage_with_other_settings_starts_from_the_same_model_and_so_does_the_one_after_it(
    tiny_model: Path, tmp_path: Path, recipes: dict[str, Any]
) -> None:
    own = {"r": 8, "target_modules": "all-linear"}
    chain = trained(tiny_model, tmp_path, recipes, {"sft": {}}, {"dpo": {"lora": own}}, {"dpo": {}})
    sft, other, back = chain
    assert [len(one.started_from.merged) for one in chain] == [0, 1, 2]
    assert [one.node.starts_an_adapter for one in chain] == [True, True, True]
    assert [one.node.lora["r"] for one in chain] == [4, 8, 4]
    # what the stage does not say is the recipe's
    assert other.node.lora == {**recipes, **own}
    assert sft.weights.keys() == back.weights.keys() and sft.weights.keys() < other.weights.keys()
    for before, after in ((sft, other), (other, back)):
        assert after.first_loss == pytest.approx(LN_2, abs=1e-5)
        untrained = load_policy(after.started_from, after.node.lora, seed=0)
        expected = logits(load_model(before.model), before.model)
        assert torch.allclose(logits(untrained, after.model), expected, atol=1e-5)
        assert not torch.allclose(logits(load_model(after.model), after.model), expected, atol=1e-4)


def test_nothing_of_a_merged_adapter_is_left_but_its_weights(
    tiny_model: Path, tmp_path: Path
) -> None:
    lora = {"r": 4, "target_modules": ["q_proj"]}
    _, dpo = trained(tiny_model, tmp_path, lora, {"sft": {}}, {"dpo": {"lora": {"r": 2}}})
    policy = load_policy(dpo.started_from, dpo.node.lora, seed=0)
    assert list(policy.peft_config) == ["default"]
    trainable = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    assert (
        sum(parameter.numel() for parameter in trainable)
        == dpo.result.trainable_parameters
        == 2 * 2 * (32 + 32)
    )
