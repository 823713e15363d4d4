"""What training logs, step by step: seconds, tokens and memory go on across a resume."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from transformers import TrainerCallback

from stagelift.evals.files import append_records, read_records, write_records
from stagelift.evals.models.memory import peak_memory
from stagelift.evals.models.model import ModelRef
from stagelift.stages.checkpoints import mark_complete
from stagelift.stages.kind import Method
from stagelift.stages.records import LogRow

# step, steps, what was logged
OnStep = Callable[[int, int, dict[str, float]], None]
_NOTHING_YET = LogRow(step=0, seconds=0, tokens=0, peak_memory_bytes=0, logs={})


def rows_up_to(path: Path, step: int) -> list[LogRow]:
    """Drop what was logged after the checkpoint that training goes on from: those steps are done
    again.
    """
    rows = [row for row in read_records(path, LogRow) if row.step <= step]
    write_records(path, rows)
    return rows


class Ledger(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for mypy here
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
        self.before = rows[-1] if rows else _NOTHING_YET
        self.started = time.monotonic()

    def row(self, step: int, logs: dict[str, JsonValue]) -> LogRow:
        """Return what training took up to now, with what was logged."""
        return LogRow(
            step=step,
            seconds=self.before.seconds + time.monotonic() - self.started,
            tokens=self._tokens(logs),
            peak_memory_bytes=max(self.before.peak_memory_bytes, peak_memory(self.ref.device)[0]),
            logs=logs,
        )

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log the steps that are saved, and the last: tokens are known only where they are logged,
        however seldom that is asked for.
        """
        if control.should_save or state.global_step >= state.max_steps:
            control.should_log = True

    def on_epoch_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        """Do the same where each epoch is saved."""
        if control.should_save:
            control.should_log = True

    def on_log(
        self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Write a row, and tell who asked to be told."""
        numbers = {
            name: float(value)
            for name, value in (logs or {}).items()
            if isinstance(value, int | float)
        }
        # the closing summary is no step
        if "train_runtime" in numbers or not self.accelerator.is_main_process:
            return
        self.rows.append(self.row(state.global_step, dict(numbers)))
        append_records(self.path, self.rows[-1:])
        self.on_step(state.global_step, state.max_steps, numbers)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Mark the checkpoint complete that was just saved."""
        # each process saves the state of its random numbers
        self.accelerator.wait_for_everyone()
        # resuming from the very end would train one step too many
        if state.global_step < state.max_steps and self.accelerator.is_main_process:
            mark_complete(Path(args.output_dir), state.global_step)

    def _tokens(self, logs: dict[str, JsonValue]) -> int:
        """Some of TRL's trainers count tokens from zero again after a resume, others go on: join
        them up.
        """
        seen = logs.get("num_tokens")
        if not isinstance(seen, int | float):
            return self.rows[-1].tokens if self.rows else self.before.tokens
        if self.method.counts_tokens_on:
            return int(seen)
        return self.before.tokens + int(seen)
