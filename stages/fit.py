"""Run a trainer to its end, from its last whole checkpoint if it was killed, and leave an adapter
and a record.

Kills may come at any moment: a checkpoint counts only once its `complete` mark is there, the
adapter folder appears in one rename, and the stage's record (the caller's) comes last. Of several
processes that train together only the first writes.
"""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from pydantic import JsonValue
from transformers import ProgressCallback, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from stagelift.evals.files import (
    append_records,
    read_records,
    replaced_folder,
    write_records,
    write_text,
)
from stagelift.evals.models.memory import peak_memory
from stagelift.evals.models.model import ModelRef
from stagelift.evals.records import Record
from stagelift.stages.folders import TrainingFolder
from stagelift.stages.kind import Method
from stagelift.stages.lm_head import masked_positions_skipped
from stagelift.stages.records import StageResult

# step, steps, what was logged
OnStep = Callable[[int, int, dict[str, float]], None]
_COMPLETE = "complete"


class LogRow(Record):
    """One logged step; seconds, tokens and memory go on across a resume."""

    step: int
    seconds: float
    tokens: int
    peak_memory_bytes: int
    logs: dict[str, JsonValue]


def fit(
    method: Method,
    trainer: Any,
    ref: ModelRef,
    folder: Path,
    versions: dict[str, str],
    on_step: OnStep,
) -> StageResult:
    """Train to the end and save the adapter into `folder`. Returns the stage's record."""
    accelerator, place = trainer.accelerator, TrainingFolder(folder)
    writes = accelerator.is_main_process
    # one process looks for all: on another machine the folder may not be seen as it is now
    (checkpoint,) = broadcast_object_list(
        [_last_whole_checkpoint(place.checkpoints) if writes else None]
    )
    rows = _rows_up_to(place.log_rows, _step(checkpoint)) if writes else []
    ledger = _Ledger(method, place.log_rows, ref, rows, on_step, accelerator)
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(ledger)
    with masked_positions_skipped():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if writes:
        _save_adapter(trainer, place.adapter)
    last = ledger.row(trainer.state.global_step, {})
    return StageResult(
        kind=method.name,
        steps=trainer.state.global_step,
        tokens=last.tokens,
        seconds=last.seconds,
        peak_memory_bytes=last.peak_memory_bytes,
        peak_memory_of=peak_memory(ref.device)[1],
        trainable_parameters=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        device=ref.device,
        dtype=ref.dtype,
        versions=versions,
        processes=accelerator.num_processes,
        history=[{"step": row.step, **row.logs} for row in ledger.rows],
    )


class _Ledger(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for mypy here
    """Writes a row for every logged step and marks checkpoints complete, in the first process."""

    def __init__(
        self,
        method: Method,
        path: Path,
        ref: ModelRef,
        rows: list[LogRow],
        on_step: OnStep,
        accelerator: Any,
    ) -> None:
        self.method, self.path, self.ref = method, path, ref
        self.rows, self.on_step = rows, on_step
        self.accelerator = accelerator
        self.before = (
            rows[-1] if rows else LogRow(step=0, seconds=0, tokens=0, peak_memory_bytes=0, logs={})
        )
        self.started = time.monotonic()

    def row(self, step: int, logs: dict[str, JsonValue]) -> LogRow:
        return LogRow(
            step=step,
            seconds=self.before.seconds + time.monotonic() - self.started,
            tokens=self._tokens(logs),
            peak_memory_bytes=max(self.before.peak_memory_bytes, peak_memory(self.ref.device)[0]),
            logs=logs,
        )

    def _tokens(self, logs: dict[str, JsonValue]) -> int:
        """Some of TRL's trainers count tokens from zero again after a resume, others go on: join
        them up.
        """
        seen = logs.get("num_tokens")
        if not isinstance(seen, int | float):
            return self.rows[-1].tokens if self.rows else self.before.tokens
        return int(seen) if self.method.counts_tokens_on else int(seen) + self.before.tokens

    def on_log(
        self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        numbers: dict[str, JsonValue] = {
            k: float(v) for k, v in (logs or {}).items() if isinstance(v, int | float)
        }
        # the closing summary is no step
        if "train_runtime" in numbers or not self.accelerator.is_main_process:
            return
        self.rows.append(self.row(state.global_step, numbers))
        append_records(self.path, self.rows[-1:])
        self.on_step(
            state.global_step, state.max_steps, {k: float(str(v)) for k, v in numbers.items()}
        )

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        # each process saves the state of its random numbers
        self.accelerator.wait_for_everyone()
        # resuming from the very end would train one step too many
        if state.global_step < state.max_steps and self.accelerator.is_main_process:
            write_text(Path(args.output_dir, f"checkpoint-{state.global_step}", _COMPLETE), "")


def _last_whole_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end; remove those that were not."""
    found = sorted(folder.glob("checkpoint-*"), key=_step)
    for checkpoint in found:
        if not (checkpoint / _COMPLETE).exists():
            shutil.rmtree(checkpoint)
    whole = [checkpoint for checkpoint in found if checkpoint.exists()]
    return whole[-1] if whole else None


def _step(checkpoint: Path | None) -> int:
    match = re.search(r"checkpoint-(\d+)$", str(checkpoint))
    return int(match.group(1)) if match else 0


def _rows_up_to(path: Path, step: int) -> list[LogRow]:
    """Drop what was logged after the checkpoint that training goes on from: those steps are done
    again.
    """
    rows = [row for row in read_records(path, LogRow) if row.step <= step]
    write_records(path, rows)
    return rows


def _save_adapter(trainer: Any, folder: Path) -> None:
    model = trainer.accelerator.unwrap_model(trainer.model)
    with replaced_folder(folder) as beside:
        model.save_pretrained(beside, selected_adapters=["default"])
