"""What one GPU takes: tokens a second, a chain of stages in two precisions and in 4 bits, and steps
beside TRL.

    python -m benchmarks.gpu --output gpu.json
    python -m benchmarks.gpu --output gpu.json --tiny  # a few steps of a small model, on a CPU

The model is random, of Qwen2.5-0.5B's shape, so that nothing is downloaded. Each part is a process
of its own with a time limit; the file holds what is known so far, and of a part that failed why.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.random_model import QWEN_HALF_BILLION, TINY, make_random_model
from benchmarks.table import FORMATS, Cell, Table, show, table_of

TITLES = {
    "card": "The card",
    "tokens": "Tokens a second: 200 new tokens for each prompt",
    "bfloat16": "SFT, DPO and GRPO in bfloat16",
    "float16": "The same in float16 with 15 GB, as a T4 has",
    "steps": "Seconds a step beside TRL alone, bfloat16",
    "four bits": "The same in float16 on weights in 4 bits, with 15 GB",
}
# in seconds: of each part, and of all
LIMITS = {
    "card": 60,
    "tokens": 150,
    "bfloat16": 120,
    "float16": 120,
    "four bits": 120,
    "steps": 200,
}
MOST = 460.0


def main() -> None:
    """Measure every part, keep the file up to date, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--format", choices=FORMATS, default="markdown")
    parser.add_argument("--tiny", action="store_true", help="a small model and few steps")
    parser.add_argument("--parts", nargs="*", default=list(LIMITS), choices=list(LIMITS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = measure(given.parts, Path(folder), given.output, tiny=given.tiny)
    show(tables, given.format)


def measure(parts: list[str], folder: Path, output: Path, *, tiny: bool) -> list[Table]:
    """Return a table of each part."""
    started = time.monotonic()
    model = make_random_model(folder / "model", TINY if tiny else QWEN_HALF_BILLION)
    known: dict[str, dict[str, object]] = {}
    tables = []
    for part in parts:
        limit = min(LIMITS[part], MOST - (time.monotonic() - started))
        rows, notes = _part(part, model, folder / part, limit, tiny=tiny)
        tables.append(table_of(TITLES[part], rows, notes))
        known[part] = {"rows": rows, "notes": notes}
        minutes = (time.monotonic() - started) / 60
        written = json.dumps({"minutes": minutes, "tiny": tiny, "parts": known}, indent=2)
        output.write_text(written, encoding="utf-8")
    return tables


def _part(
    name: str, model: Path, folder: Path, limit: float, *, tiny: bool
) -> tuple[list[dict[str, Cell]], list[str]]:
    """Return the rows that a part's process wrote, and what went wrong with it."""
    folder.mkdir()
    rows, log = folder / "rows.jsonl", folder / "log"
    command = [sys.executable, "-m", "benchmarks.gpu_parts", name, str(model), str(folder)]
    with log.open("wb") as sink:
        try:
            done = subprocess.run(
                [*command, *(["--tiny"] if tiny else [])],
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=max(limit, 1.0),
                check=False,
            )
            failure = None if done.returncode == 0 else f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            failure = f"stopped after {limit:.0f} seconds"
    measured = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    notes = []
    if failure is not None:
        end = log.read_text(encoding="utf-8", errors="replace")[-1500:]
        notes = [f"Not all was measured: {failure}. {end}"]
    return [json.loads(row) for row in measured], notes


if __name__ == "__main__":
    main()
