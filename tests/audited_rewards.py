"""Rewards that are ill, each in its own way, for the audit to find."""

import multiprocessing
import os
import threading
from typing import Any

Completions = list[list[dict[str, str]]]


def longer(completions: Completions, **_: Any) -> list[float]:
    """Pay for every character."""
    return [len(completion[-1]["content"]) / 100 for completion in completions]


def raises_on_nothing(completions: Completions, **_: Any) -> list[float]:
    """Look at a first character that may not be there."""
    return [float(completion[-1]["content"][0] == "#") for completion in completions]


def one_for_all(**_: Any) -> list[float]:
    """Return one number, whatever was asked."""
    return [1.0]


def another_each_time(completions: Completions, calls: list[int] = [], **_: Any) -> list[float]:  # noqa: B006 - it remembers, on purpose
    """Pay by how often it was called."""
    calls.append(1)
    return [float(len(calls)) for _ in completions]


def words(completions: Completions, **_: Any) -> list[str]:
    """Return text for numbers."""
    return ["high" for _ in completions]


def ends_all(**_: Any) -> list[float]:
    """End the process."""
    os.write(1, b"it prints, too")
    os._exit(3)


def never_done(**_: Any) -> list[float]:
    """Wait for ever."""
    threading.Event().wait()
    return []


def waits_for_others(**_: Any) -> list[float]:
    """Wait for processes of its own, which wait for long."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(_waits, [1, 2])


def _waits(_: int) -> float:
    threading.Event().wait(300)
    return 1.0
