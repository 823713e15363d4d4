"""How long commands take: each on a finished run, and how reading grows with problems and stages.

    python -m benchmarks.commands                 # makes a run on a small random model first
    python -m benchmarks.commands --parts growth  # imports of 1x, 4x, 16x problems, 2 to 8 stages

Commands take turns, round after round. Seconds are those that a user waits; beside them stand the
seconds of one core, which other work on the machine does not lengthen as much. A check of arguments
that was made before is remembered (`evals/remembered.py`): "new arguments" are checked by TRL.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.random_model import TINY, make_random_model
from benchmarks.scaling import exponent
from benchmarks.table import FORMATS, Cell, Table, show, table_of
from stagelift.evals.data.schoolmath import CAPACITY, problems

ROOT = Path(__file__).resolve().parent.parent
# the problems of GSM8K's test split, answered by a chain of four
PROBLEMS, STAGES = 1_319, 4
SIZES = (625, 2_500, 10_000)
COUNTS = (2, 4, 8)
# training is not what is timed, and the random model answers to the limit
SHORT = (
    *("stages.sft.args.max_steps=2", "stages.dpo.args.max_steps=2", "stages.grpo.args.max_steps=2"),
    *("evals.accuracy.max_tokens=32", "evals.preference.max_tokens=32"),
)


class Command(NamedTuple):
    """A command to time, and the seconds that are its goal; None: it has none."""

    title: str
    words: list[str]
    goal: float | None


class Taken(NamedTuple):
    """Seconds that a command took, and seconds of a core."""

    seconds: float
    of_a_core: float


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=["commands", "growth"])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, tables = Path(name), []
        if "commands" in given.parts:
            tables.append(by_command(folder, given.rounds))
        if "growth" in given.parts:
            tables += [by_problems(folder, given.sizes), by_stages(folder)]
    show(tables, given.format)


def by_command(folder: Path, rounds: int) -> Table:
    """Time every command on a run of the quickstart."""
    recipe = ["quickstart", *_settings(folder)]
    _take(["run", *recipe], folder)
    _take(["import", _responses(folder, PROBLEMS, STAGES), *_AS, "there"], folder)
    taken: dict[tuple[str, float | None], list[Taken]] = {}
    for number in range(rounds):
        for command in _commands(recipe, folder, number):
            taken.setdefault((command.title, command.goal), []).append(_take(command.words, folder))
    rows = [_row(title, goal, times) for (title, goal), times in taken.items()]
    return table_of("Commands", rows)


def by_problems(folder: Path, sizes: Sequence[int]) -> Table:
    """Import, report and read again more and more problems, answered by four stages each."""
    rows = [_read(folder, size, STAGES) for size in sizes]
    return table_of(f"Problems, {STAGES} stages", rows, [_growth(rows, "problems")])


def by_stages(folder: Path) -> Table:
    """The same with more and more stages."""
    rows = [_read(folder, PROBLEMS, count) for count in COUNTS]
    return table_of(f"Stages, {PROBLEMS:,} problems", rows, [_growth(rows, "stages")])


_AS = ["--as", "responses", "--name"]


def _settings(folder: Path) -> list[str]:
    model = make_random_model(folder / "model", TINY)
    settings = [f"model.path={model}", *SHORT]
    return [word for setting in settings for word in ("--set", setting)]


def _commands(recipe: list[str], folder: Path, number: int) -> Iterator[Command]:
    """Yield a round's commands; the number makes arguments that nobody checked before."""
    unseen = ["--set", f"stages.dpo.args.learning_rate={1e-5 * (number + 1) + os.getpid() * 1e-12}"]
    responses = _responses(folder, PROBLEMS, STAGES)
    check = ["--baseline", "quickstart", "--stage", "sft"]
    yield Command("--help", ["--help"], None)
    yield Command("run, nothing to do", ["run", *recipe], 3)
    yield Command("plan", ["plan", *recipe], 3)
    yield Command("run --dry-run", ["run", *recipe, "--dry-run"], 3)
    yield Command(
        "run --dry-run, new arguments", ["run", *recipe, *unseen, "--name", "n", "--dry-run"], None
    )
    yield Command("report", ["report", "quickstart"], 1.5)
    yield Command("report, HTML", ["report", "quickstart", "--output", "page.html"], 2)
    yield Command("check", ["check", "quickstart", *check, "--margin", "accuracy=50"], 1)
    imported = f"import of {STAGES} x {PROBLEMS:,}"
    yield Command(imported, ["import", responses, *_AS, f"imported-{number}"], 4)
    yield Command(f"rescore of {STAGES} x {PROBLEMS:,}", ["rescore", "there"], 3)


def _row(title: str, goal: float | None, taken: list[Taken]) -> dict[str, Cell]:
    seconds = [times.seconds for times in taken]
    return {
        "command": title,
        "seconds": median(seconds),
        "lowest": min(seconds),
        "highest": max(seconds),
        "of a core": median(times.of_a_core for times in taken),
        "goal": "" if goal is None else goal,
    }


def _read(folder: Path, size: int, stages: int) -> dict[str, Cell]:
    file, name = _responses(folder, size, stages), f"of-{size}-by-{stages}"
    imported = _take(["import", file, *_AS, name], folder)
    reported = _take(["report", name], folder)
    again = _take(["rescore", name], folder)
    return {
        "problems": size,
        "stages": stages,
        "import (s)": imported.seconds,
        "ms a response": 1000 * imported.seconds / (size * stages),
        "report (s)": reported.seconds,
        "rescore (s)": again.seconds,
    }


def _growth(rows: list[dict[str, Cell]], size: str) -> str:
    """Say with which power each column grows, from the first row to the last."""
    columns = ("import (s)", "report (s)", "rescore (s)")
    powers = [f"{column} {exponent(rows, size, column):.2f}" for column in columns]
    return f"Exponents of {size} (1 is linear): {', '.join(powers)}."


def _take(words: list[str], folder: Path) -> Taken:
    """Run a command to its end. Raises RuntimeError with what it said where it fails."""
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "stagelift", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - started, os.times()
    if done.returncode not in (0, 3):
        # 3: a check that does not decide took as long
        raise RuntimeError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
    of_a_core = after.children_user + after.children_system
    of_a_core -= before.children_user + before.children_system
    print(f"{' '.join(words)[:70]}: {seconds:.2f} s", file=sys.stderr, flush=True)
    return Taken(seconds, of_a_core)


def _responses(folder: Path, size: int, stages: int) -> str:
    """Write responses of stages that get better, as long as GSM8K's, and return the file."""
    file = folder / f"responses-{size}-{stages}.jsonl"
    if not file.exists():
        file.write_text("\n".join(map(json.dumps, _rows(size, stages))) + "\n", encoding="utf-8")
    return str(file)


def _rows(size: int, stages: int) -> Iterator[dict[str, object]]:
    asked, rng = problems("train", CAPACITY["train"]), random.Random(0)
    for stage in range(stages):
        for number, problem in enumerate(islice(cycle(asked), size)):
            response = _response(problem.answer, rng, right=0.2 + 0.6 * stage / stages)
            yield {
                "stage": f"stage-{stage}",
                "id": str(number),
                "prompt": problem.question,
                "response": response,
                "target": problem.answer,
                "n_tokens": len(response) // 4,
                "finish_reason": "stop",
            }


def _response(answer: str, rng: random.Random, right: float) -> str:
    """Write a response: right with or without the marker, wrong, or cut short."""
    working, _, target = answer.rpartition("####")
    steps = [
        f"Step {step}: she has {first} boxes of {second}, so {first} * {second} = {first * second}."
        for step in range(1, 5)
        for first, second in [(rng.randint(2, 40), rng.randint(2, 40))]
    ]
    text = "\n".join([*steps, working.strip()])
    if rng.random() < right:
        return f"{text}\n{rng.choice(['#### ', 'The answer is ', 'So she has '])}{target.strip()}"
    if rng.random() < 0.7:
        return f"{text}\nThe answer is {rng.randint(1, 500)}."
    return text[: len(text) // 2]


if __name__ == "__main__":
    main()
