"""What training logs, step by step: seconds, tokens and memory go on across a resume. Where what is
logged says that training is ill, it may end it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from pydantic import JsonValue
from transformers import TrainerCallback

from stagelift.evals.files import append_records, read_records, write_records
from stagelift.evals.models.memory import peak_memory
from stagelift.evals.models.model import ModelRef
from stagelift.stages.checkpoints import cut_log, mark_complete, step_of
from stagelift.stages.health.finding import Finding, Stop
from stagelift.stages.health.groups import GROUPS, SILENT_SHARE, groups_in
from stagelift.stages.health.numbers import LOST_WEIGHTS
from stagelift.stages.health.watch import Watch
from stagelift.stages.health.weights import are_finite
from stagelift.stages.kind import Method
from stagelift.stages.records import LogRow


@dataclass(frozen=True)
class LoggedStep:
    """A step of training as it is told while it runs: numbers, signs of illness that were not told
    yet, where training ends for them, and notes on where it began.
    """

    step: int
    steps: int
    logs: dict[str, float]
    signs: list[Finding]
    stop: Stop | None
    notes: tuple[str, ...] = ()


OnStep = Callable[[LoggedStep], None]


# what TRL's trainers call the tokens that they have seen
_TOKENS = "num_tokens"
_NOTHING_YET = LogRow(step=0, seconds=0, tokens=0, peak_memory_bytes=0, logs={})


def rows_up_to(path: Path, checkpoint: Path | None) -> list[LogRow]:
    """Drop what was logged after the checkpoint that training goes on from: those steps are done
    again.
    """
    rows: list[LogRow] = []
    if checkpoint is not None:
        cut_log(path, checkpoint)
        rows = [row for row in read_records(path, LogRow) if row.step <= step_of(checkpoint)]
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
        *,
        stop_when_ill: bool,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.method, self.path, self.ref = method, path, ref
        self.rows, self.on_step = rows, on_step
        self.accelerator = accelerator
        self.watch, self.stop_when_ill = Watch(), stop_when_ill
        # signs that nobody was told of in this process
        self.untold = [sign for row in rows for sign in self.watch.add(as_history(row))]
        self.untold_notes = notes
        self.stop: Stop | None = None
        self.before = rows[-1] if rows else _NOTHING_YET
        self.started = time.monotonic()

    def row(self, step: int, logs: dict[str, JsonValue]) -> LogRow:
        """Return what training took up to now, with what was logged: tokens are all that were seen
        in what is logged, too.
        """
        tokens = self._tokens(logs)
        return LogRow(
            step=step,
            seconds=self.before.seconds + time.monotonic() - self.started,
            tokens=tokens,
            peak_memory_bytes=max(self.before.peak_memory_bytes, peak_memory(self.ref.device)[0]),
            logs={**logs, _TOKENS: float(tokens)} if _TOKENS in logs else logs,
        )

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Tell what is trained already, so that nobody takes it for work of this process."""
        if self.accelerator.is_main_process:
            self._tell(self.before.step, state.max_steps, {})

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
        self, args: Any, state: Any, control: Any, logs: dict[str, Any], model: Any, **_: Any
    ) -> None:
        """Write a row, tell who asked to be told, and end training where it is ill."""
        # the closing summary is no step
        if "train_runtime" in logs:
            return
        if self.accelerator.is_main_process:
            logs = _with_groups(_with_beta(logs, args), args, self._since_last_log(state))
            self._write(state, _numbers(logs, model))
        if self.accelerator.num_processes > 1:
            (self.stop,) = broadcast_object_list([self.stop])
        if self.stop is not None:
            control.should_training_stop, control.should_save = True, False

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint complete that was just saved."""
        # each process saves the state of its random numbers
        self.accelerator.wait_for_everyone()
        # resuming from the very end would train one step too many
        is_end = control.should_training_stop or state.global_step >= state.max_steps
        if not is_end and self.accelerator.is_main_process:
            mark_complete(Path(args.output_dir), state.global_step, self.path)

    def _since_last_log(self, state: Any) -> int:
        """Count the steps that what is logged now is of."""
        return int(state.global_step) - (self.rows[-1].step if self.rows else 0)

    def _write(self, state: Any, logs: dict[str, JsonValue]) -> None:
        step, steps = state.global_step, state.max_steps
        self.rows.append(self.row(step, logs))
        logs = self.rows[-1].logs
        append_records(self.path, self.rows[-1:])
        self.untold += self.watch.add(as_history(self.rows[-1]))
        self.stop = self.watch.stop(step, steps, when_ill=self.stop_when_ill)
        known = {name: value for name, value in logs.items() if isinstance(value, float)}
        self._tell(step, steps, known)

    def _tell(self, step: int, steps: int, logs: dict[str, float]) -> None:
        self.on_step(LoggedStep(step, steps, logs, self.untold, self.stop, self.untold_notes))
        self.untold, self.untold_notes = [], ()

    def _tokens(self, logs: dict[str, JsonValue]) -> int:
        """Some of TRL's trainers count tokens from zero again after a resume, others go on: join
        them up.
        """
        seen = logs.get(_TOKENS)
        if not isinstance(seen, int | float):
            return self.rows[-1].tokens if self.rows else self.before.tokens
        if self.method.counts_tokens_on:
            return int(seen)
        return self.before.tokens + int(seen)


def as_history(row: LogRow) -> dict[str, JsonValue]:
    """Return what was logged at a step as a stage's record has it."""
    return {"step": row.step, **row.logs}


def _with_beta(logs: dict[str, Any], args: Any) -> dict[str, Any]:
    """Say what the implicit rewards of answers are multiplied with, where they are logged."""
    return {**logs, "beta": args.beta} if "rewards/chosen" in logs else logs


def _with_groups(logs: dict[str, Any], args: Any, steps: int) -> dict[str, Any]:
    """Say of how many groups of completions a share is, where it is logged."""
    return {**logs, GROUPS: groups_in(args, steps)} if SILENT_SHARE in logs else logs


def _numbers(logs: dict[str, Any], model: Any) -> dict[str, JsonValue]:
    """Return what was logged as JSON has it, and whether the weights are lost where it looks so."""
    numbers: dict[str, JsonValue] = {
        name: float(value) if isfinite(value) else None
        for name, value in logs.items()
        if isinstance(value, int | float)
    }
    if None in numbers.values() and not are_finite(model):
        numbers[LOST_WEIGHTS] = 1.0
    return numbers
