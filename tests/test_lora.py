"""LoRA settings for real: rslora, DoRA, all-linear, and stages with settings of their own on merged weights."""

from pathlib import Path
from typing import Any

import pytest

from evals.model import ModelRef, load_model, load_tokenizer
from stages.lora import load_policy
from stages.records import StageResult
from stages.settings import StageSettings
from stages.train import train

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}


def settings(kind: str) -> StageSettings:
    return StageSettings.model_validate(
        {
            "kind": kind,
            "dataset": {"path": "bundled/schoolmath", "limit": 16},
            "args": {"max_steps": 2, "per_device_train_batch_size": 2, "learning_rate": 1e-2, "save_strategy": "no"},
        }
    )


def trained(kind: str, parent: ModelRef, lora: dict[str, Any], folder: Path) -> StageResult:
    return train(settings(kind), parent, lora, 0, folder, {}, lambda *_: None)


def base(model: Path) -> ModelRef:
    return ModelRef(path=str(model), dtype="float32", device="cpu")


def logits(ref: ModelRef) -> Any:
    import torch

    tokens = load_tokenizer(ref.path, None, None)("Tom has 3 apples and 4 pears.", return_tensors="pt")
    with torch.inference_mode():
        return load_model(ref)(**tokens).logits


def first_loss(result: StageResult) -> float:
    return float(str(result.history[0]["loss"]))


@pytest.mark.parametrize(
    "more",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"target_modules": "all-linear"},
        {"target_modules": "all-linear", "use_dora": True, "use_rslora": True},
    ],
    ids=["rslora", "dora", "all-linear", "all of them"],
)
def test_an_adapter_is_carried_on_and_is_the_reference_of_dpo(
    more: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    lora = LORA | more
    sft = trained("sft", base(tiny_model), lora, tmp_path / "sft")
    carried = base(tiny_model).model_copy(update={"adapter": str(tmp_path / "sft" / "adapter")})
    dpo = trained("dpo", carried, lora, tmp_path / "dpo")
    assert first_loss(dpo) == pytest.approx(0.693147, abs=1e-5)  # ln 2: the policy is its reference
    assert dpo.trainable_parameters == sft.trainable_parameters
    before = logits(base(tiny_model)), logits(carried)
    after = logits(carried.model_copy(update={"adapter": str(tmp_path / "dpo" / "adapter")}))
    assert not before[0].equal(before[1]) and not before[1].equal(after)  # both stages moved the model


def test_all_linear_trains_more_than_two_modules_and_dora_more_than_plain(tiny_model: Path) -> None:
    def count(**more: Any) -> int:
        policy = load_policy(base(tiny_model), LORA | more, 0)
        return sum(parameter.numel() for parameter in policy.parameters() if parameter.requires_grad)

    assert count() == 1024 < count(use_dora=True) < count(target_modules="all-linear")


def test_stages_with_settings_of_their_own_start_from_the_model_that_came_in(tiny_model: Path, tmp_path: Path) -> None:
    """Three stages with three settings: each begins as the one before ended, and its adapter is of its own size."""
    plain = base(tiny_model)
    trained("sft", plain, LORA, tmp_path / "sft")
    after_sft = plain.model_copy(update={"adapter": str(tmp_path / "sft" / "adapter")})
    onto_sft = plain.model_copy(update={"merged": (str(tmp_path / "sft" / "adapter"),)})
    assert (logits(onto_sft) - logits(after_sft)).abs().max() < 1e-4
    dpo = trained("dpo", onto_sft, LORA | {"r": 2, "use_dora": True}, tmp_path / "dpo")
    assert first_loss(dpo) == pytest.approx(0.693147, abs=1e-5)
    after_dpo = onto_sft.model_copy(update={"adapter": str(tmp_path / "dpo" / "adapter")})
    onto_dpo = plain.model_copy(update={"merged": (*onto_sft.merged, str(tmp_path / "dpo" / "adapter"))})
    assert (logits(onto_dpo) - logits(after_dpo)).abs().max() < 1e-4
    assert not logits(after_dpo).equal(logits(onto_sft))
    again = trained("sft", onto_dpo, LORA, tmp_path / "again")
    assert again.trainable_parameters == 1024 != dpo.trainable_parameters


def test_merging_into_sixteen_bits_rounds_once(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    trained("sft", base(tiny_model), LORA, tmp_path / "sft")
    merged = (str(tmp_path / "sft" / "adapter"),)
    half = load_model(base(tiny_model).model_copy(update={"merged": merged, "dtype": "bfloat16"}))
    full = load_model(base(tiny_model).model_copy(update={"merged": merged}))
    weights = dict(full.named_parameters())
    assert all(part.equal(weights[name].to(torch.bfloat16)) for name, part in half.named_parameters())
