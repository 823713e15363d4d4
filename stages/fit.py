"""Run a trainer to its end, from its last whole checkpoint if it was killed, and leave an adapter
and a record.

Kills may come at any moment: a checkpoint counts only once it is marked complete, the adapter
folder appears in one rename, and the stage's record (the caller's) comes last. Of several processes
that train together only the first writes.
"""

from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from transformers import ProgressCallback
from transformers.trainer_callback import PrinterCallback

from stagelift.evals.models.memory import peak_memory
from stagelift.evals.models.model import ModelRef
from stagelift.stages.adapter import leave_adapter
from stagelift.stages.checkpoints import last_whole_checkpoint
from stagelift.stages.faster import faster
from stagelift.stages.folders import NodeFolder, TrainingFolder
from stagelift.stages.health.finding import Stop
from stagelift.stages.keep import Keeper
from stagelift.stages.kind import Method
from stagelift.stages.ledger import Ledger, OnStep, as_history, rows_up_to
from stagelift.stages.records import StageResult


def fit(
    method: Method,
    trainer: Any,
    ref: ModelRef,
    folder: Path,
    versions: dict[str, str],
    on_step: OnStep,
    keep_every: int | None = None,
    *,
    stop_when_ill: bool = False,
) -> StageResult:
    """Train to the end and save the adapter into `folder`. Returns the stage's record.

    With `keep_every` adapters are kept on the way, the last one too, and none is the stage's yet.
    With `stop_when_ill` the first sign of illness that ends a stage is the end. Raises LostWeights
    where the weights are no longer finite (`leave_adapter`).
    """
    accelerator, place = trainer.accelerator, TrainingFolder(folder)
    writes = accelerator.is_main_process
    checkpoint, notes = _where_it_stopped(place, writes)
    rows = rows_up_to(place.log_rows, checkpoint) if writes else []
    ledger = Ledger(
        method,
        place.log_rows,
        ref,
        rows,
        on_step,
        accelerator,
        stop_when_ill=stop_when_ill,
        notes=notes,
    )
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(ledger)
    if keep_every is not None:
        trainer.add_callback(Keeper(trainer, NodeFolder(folder), ref.dtype, keep_every))
    with faster(trainer) as as_trl:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    stopped = ledger.stop
    if writes:
        selects = keep_every is not None
        stopped = leave_adapter(
            trainer, place, stopped, selects=selects, stop_when_ill=stop_when_ill
        )
    return _result(trainer, ledger, versions, as_trl, stopped)


def _where_it_stopped(place: TrainingFolder, writes: bool) -> tuple[Path | None, tuple[str, ...]]:
    """Return the checkpoint to go on from, and notes on those that were damaged. The process that
    writes looks for all of them: on another machine the folder may not be seen as it is now.
    """
    seen, damaged = None, list[str]()
    if writes:
        seen, damaged = last_whole_checkpoint(place.checkpoints, place.log_rows)
    start = "training began anew" if seen is None else f"training went on from {seen.name}"
    notes = tuple(f"{words}: {start}." for words in damaged)
    (checkpoint,) = broadcast_object_list([seen])
    return checkpoint, notes


def _result(
    trainer: Any,
    ledger: Ledger,
    versions: dict[str, str],
    as_trl: list[str],
    stopped: Stop | None,
) -> StageResult:
    last, ref = ledger.row(trainer.state.global_step, {}), ledger.ref
    return StageResult(
        kind=ledger.method.name,
        steps=last.step,
        tokens=last.tokens,
        seconds=last.seconds,
        peak_memory_bytes=last.peak_memory_bytes,
        peak_memory_of=peak_memory(ref.device)[1],
        trainable_parameters=_trainable(trainer.model),
        device=ref.device,
        dtype=ref.dtype,
        versions=versions,
        processes=trainer.accelerator.num_processes,
        as_trl=as_trl,
        history=[as_history(row) for row in ledger.rows],
        signs=ledger.watch.found,
        stopped=stopped,
    )


def _trainable(model: Any) -> int:
    parameters = (weights for weights in model.parameters() if weights.requires_grad)
    return sum(weights.numel() for weights in parameters)
