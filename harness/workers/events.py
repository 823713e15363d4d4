"""What a worker says of its work: one JSON object a line.

It comes apart from everything that libraries print.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from stagelift.evals.credentials import words_without_credentials
from stagelift.harness.workers.log import print_no_credentials

if TYPE_CHECKING:
    from stagelift.stages.ledger import LoggedStep


def step_events(events: TextIO) -> "Callable[[LoggedStep], None]":
    """Return what a training calls after each logged step."""

    def on_step(logged: "LoggedStep") -> None:
        logs = logged.logs
        shown = {name: logs[name] for name in ("loss", "reward", "accuracy") if name in logs}
        emit(events, event="training", step=logged.step, steps=logged.steps, **shown)
        for note in logged.notes:
            emit(events, event="resumed", text=note)
        for sign in logged.signs:
            emit(events, event="ill", step=sign.step, text=f"{sign.text} {sign.remedy}")
        if logged.stop is not None:
            emit(events, event="stopped", step=logged.stop.step, steps=logged.stop.steps)

    return on_step


def events_apart_from_prints(log: Path) -> TextIO:
    """Keep the real standard output for events.

    Whatever is printed, by Python or C, goes to the log.
    """
    events = events_apart()
    print_to(log)
    return events


def events_apart() -> TextIO:
    """Return the real standard output, for events."""
    return os.fdopen(os.dup(1), "w", encoding="utf-8")


def print_to(log: Path) -> None:
    """Append whatever is printed, by Python or C, to the log."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    print_no_credentials()


def emit(events: TextIO, **event: Any) -> None:
    """Write an event as one line, credentials left out."""
    events.write(words_without_credentials(json.dumps(event)) + "\n")
    events.flush()


def end_with_standard_input() -> None:
    """Wait until the process that started this one is gone, and end at once."""
    sys.stdin.read()
    os._exit(1)
