"""How an evaluation's time grows with its problems. `benchmarks/commands.py` has what grows with
stages and imported rows.

    python -m benchmarks.scaling
"""

import argparse
import math

from benchmarks.sides import Side, measure
from benchmarks.table import FORMATS, Cell, Table, show, table_of
from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.models import bundled

SIZES = (16, 64, 256)


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(bundled.bundled_model()), help="its folder")
    parser.add_argument("--problems", type=int, nargs="+", default=SIZES)
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    show([by_problems(given.model, given.problems)], given.format)


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


def exponent(rows: list[dict[str, Cell]], size: str, taken: str) -> float:
    """Return e where `taken` grows as size to the power of e, from the first to the last row."""
    (small, least), (large, most) = (
        (float(row[size]), float(row[taken])) for row in rows[:: len(rows) - 1]
    )
    return math.log(most / least) / math.log(large / small)


if __name__ == "__main__":
    main()
