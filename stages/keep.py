"""Adapters kept while a stage trains, every so many steps and at the end: one of them is selected
afterwards.

Each appears in one rename. A training that goes on after a kill writes those again that it comes
by, to the same bytes.
"""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from stagelift.evals.models.model import Dtype
from stagelift.evals.whole import replaced_folder
from stagelift.stages.folders import NodeFolder, TrainingFolder
from stagelift.stages.health.weights import are_finite
from stagelift.stages.records import FixedLogits
from stagelift.stages.same_model import fixed_logits, fixed_tokens


class Keeper(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for mypy here
    """Keeps the adapter so far, in the first process."""

    def __init__(self, trainer: Any, node: NodeFolder, dtype: Dtype, every: int) -> None:
        self.trainer, self.node, self.dtype, self.every = trainer, node, dtype, every
        self.last: int | None = None

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Keep it before the trainer's own checkpoint of this step: where that is there, this is,
        too.
        """
        if state.global_step % self.every == 0:
            self._keep(state.global_step)

    def on_train_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Keep the last one, too, whatever an earlier try left of that step."""
        if self.last != state.global_step:
            self._keep(state.global_step)

    def _keep(self, step: int) -> None:
        # of lost weights nothing is kept; training is about to end
        if self.trainer.accelerator.is_main_process and are_finite(self.trainer.model):
            kept = self.node.kept(step)
            save_logits(self.trainer, kept, self.dtype)
            save_adapter(self.trainer, kept.adapter)
            self.last = step


def save_logits(trainer: Any, place: TrainingFolder, dtype: Dtype) -> FixedLogits | None:
    """Save what the model says that is trained, where that is finite, and return it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    logits = fixed_logits(model, dtype, fixed_tokens(trainer.processing_class))
    if logits is not None:
        place.write_logits(logits)
    return logits


def save_adapter(trainer: Any, folder: Path) -> None:
    """Save the adapter that is trained, in the form that peft loads."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    with replaced_folder(folder) as beside:
        model.save_pretrained(beside, selected_adapters=["default"])
