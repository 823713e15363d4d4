"""Sides of a comparison: each is measured in a process of its own, and they take turns.

    python -m benchmarks.sides MODULE:FUNCTION JOB ANSWER     # what such a process does

The function takes the job's JSON and returns the answer's.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Side:
    """Who is measured, by which function (`module:function`) and with which job."""

    name: str
    function: str
    job: dict[str, Any]


class Measured(NamedTuple):
    """What a side's process answered, and what it took: its seconds from start to end, and the most
    memory that it or a process of its held resident.
    """

    answer: dict[str, Any]
    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Ratio:
    """Ratios of the rounds: the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """Divide round by round."""
    ratios = [above / below for above, below in zip(over, under, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def in_turn(sides: Sequence[Side], rounds: int) -> dict[str, list[Measured]]:
    """Measure every side once a round; who begins changes with the round."""
    measured: dict[str, list[Measured]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else [*reversed(sides)]:
            measured[side.name].append(measure(side))
            seconds = measured[side.name][-1].seconds
            print(f"{side.name}, round {number + 1}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return measured


def measure(side: Side) -> Measured:
    """Start a side's process and wait for its end. Raises RuntimeError with its last words."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job, answer, log = folder / "job.json", folder / "answer.json", folder / "log"
        job.write_text(json.dumps(side.job), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.sides", side.function, str(job), str(answer)]
        with log.open("wb") as sink:
            started = time.perf_counter()
            process = subprocess.Popen(
                command, stdout=sink, stderr=subprocess.STDOUT, cwd=folder, env=environment()
            )
            # the only call that tells a child's own peak; it ends the process's record
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            end = log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise RuntimeError(f"{side.name} ended with {process.returncode}:\n{end}")
        given = json.loads(answer.read_text(encoding="utf-8"))
    return Measured(given, seconds, usage.ru_maxrss * 1024)


def environment() -> dict[str, str]:
    """Return what every side finds set: our packages, and no network."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def main() -> None:
    """Call the function that a side names."""
    function, job, answer = sys.argv[1:]
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    given = call(json.loads(Path(job).read_text(encoding="utf-8")))
    Path(answer).write_text(json.dumps(given), encoding="utf-8")


if __name__ == "__main__":
    main()
