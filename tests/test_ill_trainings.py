"""An ill training says so, ends when asked to, and never leaves an adapter without numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import ModelRef
from stagelift.stages.folders import NodeFolder
from stagelift.stages.health.weights import LostWeights
from stagelift.stages.kinds import kind_named
from stagelift.stages.ledger import LoggedStep
from stagelift.stages.records import StageResult
from stagelift.stages.settings import StageSettings
from stagelift.stages.train import train

# each step is larger than the one before
LOSES_WEIGHTS = {
    "optim": "sgd",
    "learning_rate": 1e9,
    "max_grad_norm": 0,
    "save_steps": 4,
}


class Killed(Exception):
    """What ends a training in the middle."""


def trained(
    kind: str,
    model: Path,
    folder: Path,
    kill_at: int | None = None,
    keep_every: int | None = None,
    *,
    stop_when_ill: bool = True,
    told: list[LoggedStep] | None = None,
    **args: Any,
) -> StageResult:
    def on_step(logged: LoggedStep) -> None:
        if told is not None:
            told.append(logged)
        if logged.step == kill_at:
            raise Killed

    rewarded = kind_named(kind).rewarded
    usual: dict[str, Any] = {"max_steps": 30, "per_device_train_batch_size": 4, "save_steps": 2}
    completions = {"num_generations": 2, "max_completion_length": 4} if rewarded else {}
    settings = StageSettings(
        kind=kind,
        dataset=Source(path="bundled/schoolmath", limit=16),
        args=usual | completions | args,
        # of a completion of four tokens no answer can be read
        rewards=["correctness"] if rewarded else [],
    )
    parent = ModelRef(path=str(model), dtype="float32", device="cpu")
    lora = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
    return train(
        settings,
        parent,
        lora,
        0,
        folder,
        {},
        on_step,
        keep_every=keep_every,
        stop_when_ill=stop_when_ill,
    )


def weights(node: NodeFolder) -> dict[str, torch.Tensor]:
    return dict(load_file(node.adapter / "adapter_model.safetensors"))


def test_lost_weights_leave_the_last_checkpoint_or_fail_in_a_sentence(
    tiny_model: Path, tmp_path: Path
) -> None:
    node, told = NodeFolder(tmp_path / "node"), list[LoggedStep]()
    result = trained("sft", tiny_model, node.path, told=told, **LOSES_WEIGHTS)
    assert result.stopped is not None
    assert result.stopped.step == result.steps == 9
    assert [(step.step, step.logs) for step in told[:1]] == [(0, {})]
    assert result.stopped.kept == 8
    assert {sign.sign for sign in result.signs} == {"weights lost", "loss not finite"}
    assert result.history[-1]["loss"] is None and "NaN" not in node.log_rows.read_text()
    assert all(bool(torch.isfinite(stored).all()) for stored in weights(node).values())
    kept = load_file(node.checkpoints / "checkpoint-8" / "adapter_model.safetensors")
    assert all(bool((kept[name] == stored).all()) for name, stored in weights(node).items())
    assert [step.stop for step in told if step.stop is not None] == [
        result.stopped.model_copy(update={"kept": None})
    ]
    with pytest.raises(LostWeights, match="stopped at step 9 of 30: The trained weights"):
        trained("sft", tiny_model, tmp_path / "goes on", stop_when_ill=False, **LOSES_WEIGHTS)
    assert not NodeFolder(tmp_path / "goes on").has_adapter()


@pytest.mark.real
def test_without_a_checkpoint_from_before_lost_weights_are_a_failure(
    tiny_model: Path, tmp_path: Path
) -> None:
    args = {**LOSES_WEIGHTS, "save_strategy": "no"}
    with pytest.raises(LostWeights, match="There is no checkpoint from before"):
        trained("sft", tiny_model, tmp_path / "none", **args)
    assert not NodeFolder(tmp_path / "none").has_adapter()


@pytest.mark.real
def test_of_lost_weights_none_is_kept_to_select_one_of(tiny_model: Path, tmp_path: Path) -> None:
    node = NodeFolder(tmp_path / "node")
    result = trained("sft", tiny_model, node.path, keep_every=3, **LOSES_WEIGHTS)
    assert result.stopped is not None and result.stopped.kept is None
    assert node.kept_steps() == [3, 6]


@pytest.mark.real
def test_a_stage_that_ends_when_ill_ends_at_the_same_bytes_after_a_kill(
    tiny_model: Path, tmp_path: Path
) -> None:
    whole, killed = NodeFolder(tmp_path / "whole"), NodeFolder(tmp_path / "killed")
    told = list[LoggedStep]()
    result = trained("grpo", tiny_model, whole.path, told=told)
    assert result.stopped is not None and (result.stopped.step, result.stopped.steps) == (5, 30)
    assert [sign.sign for sign in told[-1].signs] == ["no signal"]
    assert result.steps == len(result.history) == 5
    with pytest.raises(Killed):
        trained("grpo", tiny_model, killed.path, kill_at=5)
    again = trained("grpo", tiny_model, killed.path)
    assert again.stopped == result.stopped and again.signs == result.signs
    assert all(bool((weights(whole)[name] == own).all()) for name, own in weights(killed).items())


@pytest.mark.real
def test_signs_from_before_a_kill_are_told_again_and_a_stage_that_may_goes_on(
    tiny_model: Path, tmp_path: Path
) -> None:
    told = list[LoggedStep]()
    with pytest.raises(Killed):
        trained("grpo", tiny_model, tmp_path, kill_at=8, stop_when_ill=False, max_steps=12)
    result = trained("grpo", tiny_model, tmp_path, stop_when_ill=False, max_steps=12, told=told)
    assert result.stopped is None and result.steps == 12
    assert [(sign.sign, sign.step) for sign in told[0].signs] == [("no signal", 5)]
    # what was trained before it was killed is told before anything is done
    assert told[0].step == 6 and told[1].step == 7
    assert [sign.sign for sign in result.signs] == ["no signal", "cut off"]
