"""Kill a run with SIGKILL in each of its stages and in the last evaluation, resume it each time,
and compare with an uninterrupted run.

    python benchmarks/kill_and_resume.py quickstart --finished runs --work /tmp/killed

Prints one line per file compared; exits 1 where bytes differ. The uninterrupted run must be there
already.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stagelift.harness.recipes.read import load_recipe

FILES = (
    "adapter/adapter_model.safetensors",
    "evals/*/generations.jsonl",
    "evals/*/scores.jsonl",
    "evals/*/verdicts.jsonl",
)


def main() -> None:
    """Run the kills, then compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--finished", type=Path, default=Path("runs"))
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    command = [sys.executable, "-m", "stagelift", "run", given.recipe, "--runs", str(given.work)]
    kinds = [stage.kind for stage in load_recipe(given.recipe, []).stages]
    for kind in kinds:
        kill_when(command, given.work, f"{kind}-*/checkpoints/checkpoint-*/complete")
    kill_when(command, given.work, f"{kinds[-1]}-*/evals/*/generations.jsonl")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    results = list(compare(given.finished / "nodes", given.work / "nodes"))
    print("\n".join(f"{'same' if same else 'DIFFERENT'}  {name}" for name, same in results))
    sys.exit(not all(same for _, same in results))


def kill_when(command: list[str], work: Path, moment: str) -> None:
    """Start the run and SIGKILL it as soon as a file of the node appears."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not any((work / "nodes").glob(moment)):
        if process.poll() is not None:
            sys.exit(f"The run ended before {moment} appeared.")
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    print(f"killed at {moment}", flush=True)


def compare(finished: Path, resumed: Path) -> Iterator[tuple[str, bool]]:
    """Compare the files of every node of the resumed run byte for byte."""
    for pattern in FILES:
        for file in sorted(resumed.glob(f"*/{pattern}")):
            name = file.relative_to(resumed)
            yield (
                str(name),
                (finished / name).is_file() and file.read_bytes() == (finished / name).read_bytes(),
            )


if __name__ == "__main__":
    main()
