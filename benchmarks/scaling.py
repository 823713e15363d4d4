"""How time grows: with problems, and with the stages of a run.

    python -m benchmarks.scaling

Problems are asked of the bundled model. Stages are SFT on a small random model, so that what is
measured is what a stage costs beside its training.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.random_model import TINY, make_random_model
from benchmarks.sides import Side, environment, measure
from benchmarks.table import FORMATS, Cell, Table, show, table_of
from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.models import bundled

SIZES = (16, 64, 256)
STAGES = (2, 4, 8)
RECIPE = """
name: stages
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 64}}
stages:
{stages}
evals:
  accuracy: {{task: schoolmath, limit: 8, max_tokens: 8, batch_size: 8}}
  preference: {{prompts: null}}
"""
STAGE = "  - sft: {args: {max_steps: 2, per_device_train_batch_size: 2}}\n"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(bundled.bundled_model()), help="its folder")
    parser.add_argument("--problems", type=int, nargs="+", default=SIZES)
    parser.add_argument("--stages", type=int, nargs="+", default=STAGES)
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    show([by_problems(given.model, given.problems), by_stages(given.stages)], given.format)


def by_problems(model: str, sizes: list[int]) -> Table:
    """Evaluate on more and more problems."""
    rows: list[dict[str, Cell]] = []
    for size in sizes:
        job = {
            "model": model,
            "dtype": "bfloat16",
            "num_fewshot": 0,
            "data": SCHOOLMATH,
            "problems": size,
            "max_tokens": 96,
            "batch_size": 64,
        }
        done = measure(Side("ours", "benchmarks.evaluation:evaluate", job))
        rows.append(
            {
                "problems": size,
                "answering (s)": done.answer["answering"],
                "a problem (s)": done.answer["answering"] / size,
                "process (s)": done.seconds,
                "peak GB": done.peak_bytes / 1e9,
            }
        )
    notes = [
        f"Exponent of problems in answering: {exponent(rows, 'problems', 'answering (s)'):.2f}",
        f"(1 is linear), in the process: {exponent(rows, 'problems', 'process (s)'):.2f}.",
    ]
    return table_of("Problems, bfloat16, at most 96 new tokens", rows, notes)


def by_stages(counts: list[int]) -> Table:
    """Add stages to a run: each time only the new ones are trained."""
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as name:
        folder, before = Path(name), 0
        model = make_random_model(folder / "model", TINY)
        for count in counts:
            recipe = folder / "stages.yaml"
            text = RECIPE.format(model=model.as_posix(), stages=STAGE * count)
            recipe.write_text(text, encoding="utf-8")
            run = ["run", str(recipe)]
            rows.append(
                {
                    "stages": count,
                    "a new stage (s)": _seconds(run, folder) / (count - before),
                    "run, nothing to do (s)": _seconds(run, folder),
                    "plan (s)": _seconds(["plan", str(recipe)], folder),
                    "report (s)": _seconds(["report", "stages"], folder),
                }
            )
            before = count
    columns = ("a new stage (s)", "run, nothing to do (s)", "plan (s)", "report (s)")
    grown = [f"{column} {exponent(rows, 'stages', column):.2f}" for column in columns]
    return table_of("Stages", rows, [f"Exponents (1 is linear): {', '.join(grown)}."])


def exponent(rows: list[dict[str, Cell]], size: str, taken: str) -> float:
    """Return e where `taken` grows as size to the power of e, from the first to the last row."""
    (small, least), (large, most) = (
        (float(row[size]), float(row[taken])) for row in rows[:: len(rows) - 1]
    )
    return math.log(most / least) / math.log(large / small)


def _seconds(words: list[str], folder: Path) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "stagelift", *words]
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
