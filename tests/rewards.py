"""Rewards of a user's own, found by their dotted paths; one has signal on a random model, where
correctness has none.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any


def share_of_letters(completions: list[list[dict[str, str]]], **_: object) -> list[float]:
    """Return the share of characters that are letters."""
    texts = [completion[-1]["content"] for completion in completions]
    return [sum(c.isalpha() for c in text) / max(1, len(text)) for text in texts]


def fails_later_in_the_second_process(
    completions: list[list[dict[str, str]]], trainer_state: Any, **_: object
) -> list[float]:
    """Divide by zero after a step, in one of the processes that a launcher started."""
    if os.environ["RANK"] == "1" and trainer_state.global_step == 1:
        raise ZeroDivisionError("only the second process fails")
    return [0.0] * len(completions)


def killed_once(
    completions: list[list[dict[str, str]]], trainer_state: Any, **_: object
) -> list[float]:
    """Kill the process that trains, in its third step, unless that was done before."""
    mark = Path("killed")
    if trainer_state.global_step == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return share_of_letters(completions)


def never_done(completions: list[list[dict[str, str]]], **_: object) -> list[float]:
    """Say that training has begun, and take for ever."""
    Path("waiting").write_text(str(os.getpid()))
    threading.Event().wait()
    return [0.0] * len(completions)
