"""Every benchmark that needs no GPU, one after the other: `make benchmarks`.

    python -m benchmarks --gsm8k FOLDER --format markdown

Five-shot GSM8K needs a folder with train.jsonl and test.jsonl, and engines are compared where there
is vLLM; what cannot be measured is left out.
"""

import argparse
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks.sides import environment
from benchmarks.table import FORMATS
from stagelift.evals.models.engines.vllm import PYTHON


def main() -> None:
    """Run them all; exit with 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gsm8k", type=Path, help="a folder with train.jsonl and test.jsonl")
    parser.add_argument("--only", nargs="+", help="modules of these names, such as training")
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    failed = []
    for command in commands(given.gsm8k, given.only):
        started = time.monotonic()
        words = [sys.executable, "-m", *command, "--format", given.format]
        if subprocess.run(words, env=environment(), check=False).returncode:
            failed.append(command[0])
        minutes = (time.monotonic() - started) / 60
        print(f"{' '.join(command)}: {minutes:.1f} minutes", file=sys.stderr, flush=True)
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}.")


def commands(gsm8k: Path | None, only: list[str] | None) -> list[list[str]]:
    """Return what is run: modules with their arguments."""
    every = [["benchmarks.evaluation"]]
    if gsm8k is not None:
        shots = ["--num-fewshot", "5", "--batch-sizes", "16", "--rounds", "1"]
        every.append(["benchmarks.evaluation", "--gsm8k", str(gsm8k.resolve()), *shots])
    every += [
        ["benchmarks.training"],
        ["benchmarks.training", "--kinds", "grpo", "--dtype", "bfloat16", "--rounds", "1"],
        ["benchmarks.quickstart", "--scale", "8", "--rounds", "1"],
        ["benchmarks.scaling"],
        ["benchmarks.commands", "--rounds", "2"],
        ["benchmarks.jobs"],
    ]
    if find_spec("vllm") is not None or PYTHON in os.environ:
        every.append(["benchmarks.engines_agree"])
    wanted = [f"benchmarks.{name}" for name in only or []]
    return [command for command in every if not wanted or command[0] in wanted]


if __name__ == "__main__":
    main()
