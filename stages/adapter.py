"""Which adapter a training leaves: that of its last step, or where its weights were lost the last
one from before.
"""

from pathlib import Path
from typing import Any

from stagelift.stages.checkpoints import step_of, whole_checkpoints
from stagelift.stages.folders import NodeFolder, TrainingFolder
from stagelift.stages.health.finding import Stop
from stagelift.stages.health.numbers import LOST, LOWER
from stagelift.stages.health.weights import LostWeights, are_finite
from stagelift.stages.keep import save_adapter


def leave_adapter(
    trainer: Any, folder: TrainingFolder, stop: Stop | None, *, selects: bool, stop_when_ill: bool
) -> Stop | None:
    """Save the adapter, or none yet where the stage `selects` one of those kept on the way.

    Returns where training was ended. Raises LostWeights where the weights are not finite, unless
    the stage was to stop when ill and there is an adapter from before.
    """
    if not are_finite(trainer.model):
        stop = _with_an_earlier_one(trainer, folder, stop, selects, stop_when_ill)
    if not selects:
        save_adapter(trainer, folder.adapter)
    return stop


def _with_an_earlier_one(
    trainer: Any, folder: TrainingFolder, stop: Stop | None, selects: bool, stop_when_ill: bool
) -> Stop:
    steps = trainer.state.max_steps
    stop = stop or Stop(step=trainer.state.global_step, steps=steps, why=LOST)
    if not stop_when_ill:
        raise LostWeights(f"{_said(stop)} {LOWER} With stop_when_ill an earlier one is kept.")
    # which of them is the stage's is said by its selection
    if selects and NodeFolder(folder.path).kept_steps():
        return stop
    kept = None if selects else _gone_back(trainer, folder)
    if kept is None:
        raise LostWeights(f"{_said(stop)} There is no checkpoint from before. {LOWER}")
    return stop.model_copy(update={"kept": kept})


def _said(stop: Stop) -> str:
    return f"Training was {stop.text}"


def _gone_back(trainer: Any, folder: TrainingFolder) -> int | None:
    """Load the last whole checkpoint whose weights are finite; None where there is none."""
    for checkpoint in whole_checkpoints(folder.checkpoints, folder.log_rows):
        _load(trainer, checkpoint)
        if are_finite(trainer.model):
            return step_of(checkpoint)
    return None


def _load(trainer: Any, checkpoint: Path) -> None:
    """Put a checkpoint's weights into the adapter that is trained."""
    from peft import load_peft_weights, set_peft_model_state_dict

    policy = trainer.accelerator.unwrap_model(trainer.model)
    weights = load_peft_weights(str(checkpoint), device=str(policy.device))
    set_peft_model_state_dict(policy, weights, adapter_name="default")
