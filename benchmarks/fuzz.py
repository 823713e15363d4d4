"""Fuzz everything that comes from outside: recipes, imports, answers, checks, judges' replies.

    python -m benchmarks.fuzz --cases 100000 --minutes 60
    python -m benchmarks.fuzz --only import --seed 7

Cases and laws are those of `tests/fuzz`, of which `make test` tries a few. Targets take turns, a
round of cases each, until so many cases were tried or the time is over. The same seed tries the
same cases. Most of the time goes to small files: set `TMPDIR` to a folder in memory. A law that is
broken is told with the smallest case, and the benchmark ends with 1.
"""

import argparse
import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import FORMATS, Cell, show, table_of

# before libraries are loaded: nothing of it is about speed, and cases are many
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.fuzz.law import Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.trying import try_cases

# cases of a target in one round
_ROUND = 100


@dataclass
class Count:
    """What was tried of a target, and what broke its law: each problem once, with its case."""

    target: Target
    cases: int = 0
    seconds: float = 0.0
    broken: dict[str, str] | None = None


def main() -> None:
    """Try the cases, print the table, and end with 1 where a law was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000, help="of all targets together")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="targets with this in their name")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--output", type=Path, help="a file for the figures as JSON")
    given = parser.parse_args()
    counts = [
        Count(target, broken={})
        for target in TARGETS
        if any(words in target.name for words in given.only)
    ]
    # started with `&` it would ignore Ctrl-C; ended by either, it prints what it has
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        for _ in _rounds(counts, given.cases, given.seed, time.monotonic() + 60 * given.minutes):
            _write(counts, given)
    except KeyboardInterrupt:
        print("Interrupted; this is what was tried.", file=sys.stderr)
    rows = [_row(count) for count in counts]
    tried = sum(count.cases for count in counts)
    show([table_of(f"{tried:,} cases, seed {given.seed}", rows)], given.format)
    sys.exit(any(count.broken for count in counts))


def _rounds(counts: list[Count], cases: int, seed: int, end: float) -> Iterator[None]:
    """Try a round of every target in turn, and yield after each."""
    number = 0
    while sum(count.cases for count in counts) < cases:
        number += 1
        for count in counts:
            if time.monotonic() > end:
                return
            _try_round(count, zlib.crc32(f"{seed} {number} {count.target.name}".encode()))
            yield


def _write(counts: list[Count], given: argparse.Namespace) -> None:
    """Write the figures so far: hours of cases outlive whatever ends the process."""
    if given.output is None:
        return
    broken = {count.target.name: count.broken for count in counts if count.broken}
    rows = [_row(count) for count in counts]
    given.output.write_text(json.dumps({"rows": rows, "broken": broken}, indent=2))


def _try_round(count: Count, seed: int) -> None:
    assert count.broken is not None
    started = time.monotonic()
    tried = try_cases(count.target, _ROUND, seed)
    count.cases += tried.cases
    count.seconds += time.monotonic() - started
    if tried.broken is not None:
        problem, _, case = tried.broken.partition("\n")
        if problem not in count.broken:
            print(f"{count.target.name}, seed {seed}: {problem}\n  {case}", file=sys.stderr)
        count.broken.setdefault(problem, case)


def _row(count: Count) -> dict[str, Cell]:
    return {
        "target": count.target.name,
        "cases": count.cases,
        "ms a case": 1000 * count.seconds / count.cases if count.cases else "",
        "broken laws": len(count.broken or {}),
    }


if __name__ == "__main__":
    main()
