"""What `--jobs 2` gains where two stages are independent, and how threads should be shared for it.

    python -m benchmarks.jobs                     # two SFT stages, the bundled model
    python -m benchmarks.jobs --sides "jobs 1" "jobs 2" --rounds 3

Sides take turns, each in a runs folder of its own. A ratio is the time of `--jobs 1` over that of a
side in the same round: above 1 is a gain. With one thread for each worker sums are made in another
order, so weights differ in their last bits from those of `--jobs 1`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.table import FORMATS, Cell, Table, show, table_of

ROOT = Path(__file__).resolve().parent.parent
FIRST = "jobs 1"
# how many jobs, and what is added to the environment
SIDES: dict[str, tuple[int, dict[str, str]]] = {
    FIRST: (1, {}),
    "jobs 2": (2, {}),
    "jobs 2, one thread each": (2, {"OMP_NUM_THREADS": "1"}),
    "jobs 2, threads never spin": (2, {"OMP_WAIT_POLICY": "PASSIVE"}),
    "jobs 2, threads spin": (2, {"OMP_WAIT_POLICY": "ACTIVE"}),
}
RECIPE = """
name: pair
model: {{path: {model}, dtype: float32}}
lora: {{r: 8, target_modules: all-linear}}
data: {{path: bundled/schoolmath}}
stages:
  - sft: {{args: {{max_steps: {steps}, per_device_train_batch_size: 4, learning_rate: 1e-3}}}}
variants: {{lora.r: [8, 16]}}
evals:
  accuracy: {{task: schoolmath, limit: 32, max_tokens: 64, batch_size: 32}}
  preference: {{prompts: null}}
"""


def main() -> None:
    """Print how long each side took, and its gain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="bundled/smollm2-135m-instruct")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sides", nargs="+", default=[*SIDES][:3], choices=[*SIDES])
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    show([measure(given.model, given.steps, given.sides, given.rounds)], given.format)


def measure(model: str, steps: int, sides: Sequence[str], rounds: int) -> Table:
    """Run every side once a round; who begins changes with the round."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else [*reversed(sides)]:
            seconds[side].append(_seconds(RECIPE.format(model=model, steps=steps), *SIDES[side]))
            print(f"{side}: {seconds[side][-1]:.1f} s", file=sys.stderr, flush=True)
    notes = [f"Two SFT stages of {steps} steps and three evaluations; {os.cpu_count()} cores."]
    return table_of("Jobs", [_row(side, seconds) for side in sides], notes)


def _row(side: str, seconds: dict[str, list[float]]) -> dict[str, Cell]:
    ratios = [first / own for first, own in zip(seconds[FIRST], seconds[side], strict=True)]
    return {
        "side": side,
        "seconds": median(seconds[side]),
        "gain": median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def _seconds(recipe: str, jobs: int, added: dict[str, str]) -> float:
    """Time a run from its start to its reports. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "pair.yaml")
        file.write_text(recipe, encoding="utf-8")
        command = [sys.executable, "-m", "stagelift", "run", str(file), "--jobs", str(jobs)]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **added}
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=name, env=variables, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"a run with {jobs} jobs failed: {done.stdout}{done.stderr}")
    return seconds


if __name__ == "__main__":
    main()
