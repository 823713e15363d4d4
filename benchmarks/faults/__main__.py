"""Do to runs of a tiny model what should not happen, and look whether there is a way out.

    python -m benchmarks.faults --kills 100 --output faults.json
    python -m benchmarks.faults --only kills damage --kills 8 --seed 3

First a chain of SFT, DPO and GRPO with evaluation is killed at random moments and resumed by the
same command until it is done; its records are compared with those of a run that nobody disturbed,
byte by byte where docs/architecture.md promises it. Then every other fault is done to a copy of
that run: what the command says, how it ends, and whether the command that should help does. The
same seed chooses the same moments. Ends with 1 where a fault has no way out.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.faults.bench import set_up
from benchmarks.faults.damage import DAMAGE
from benchmarks.faults.fault import Outcome, attempt
from benchmarks.faults.kills import KilledRun, killed_runs, summary
from benchmarks.faults.machines import MACHINES
from benchmarks.faults.outside import OUTSIDE
from benchmarks.faults.servers import SERVERS
from benchmarks.table import FORMATS, Table, show, table_of

FAULTS = (*DAMAGE, *OUTSIDE, *SERVERS, *MACHINES)


def main() -> None:
    """Do the kills and the faults, print the tables, and end with 1 where there was no way out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="+", default=[""], help="kills, or faults of these names")
    parser.add_argument("--format", choices=FORMATS, default="markdown")
    parser.add_argument("--output", type=Path, help="a file for everything as JSON")
    parser.add_argument("--work", type=Path, help="a folder to work in and to keep")
    given = parser.parse_args()
    runs: list[KilledRun] = []
    outcomes: list[Outcome] = []
    # started with `&` it would ignore Ctrl-C; ended by either, it prints what it has
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _do_all(given, given.work or Path(scratch), runs, outcomes)
        except KeyboardInterrupt:
            print("Interrupted; this is what was tried.", file=sys.stderr)
    show(_tables(runs, outcomes, given.seed), given.format)
    if given.output is not None:
        given.output.write_text(json.dumps(_everything(runs, outcomes, given.seed), indent=2))
    ill = [kill for run in runs for kill in run.kills if kill.problems]
    whole = all(run.is_whole for run in runs) and all(outcome.is_well for outcome in outcomes)
    sys.exit(not whole or bool(ill))


def _do_all(
    given: argparse.Namespace, folder: Path, runs: list[KilledRun], outcomes: list[Outcome]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bench = set_up(folder.resolve())
    print(f"undisturbed: {bench.seconds:.0f} s; seed {given.seed}", file=sys.stderr, flush=True)
    if any(words in "kills" for words in given.only):
        for run in killed_runs(bench, given.kills, given.seed):
            runs.append(run)
            same = "the same bytes" if run.is_whole else f"{run.code} {run.differs} {run.left}"
            print(f"run {len(runs)}: {len(run.kills)} kills, {same}", file=sys.stderr, flush=True)
    for fault in FAULTS:
        if any(words in f"{fault.part}: {fault.name}" for words in given.only):
            outcomes.append(attempt(fault, bench))
            print(f"{fault.name}: {outcomes[-1].verdict}", file=sys.stderr, flush=True)


def _tables(runs: list[KilledRun], outcomes: list[Outcome], seed: int) -> list[Table]:
    kills = sum(len(run.kills) for run in runs)
    same = sum(run.is_whole for run in runs)
    title = f"{kills} kills of {len(runs)} runs, seed {seed}: {same} runs ended in the same bytes"
    tables = [table_of(title, summary(runs))] if runs else []
    if outcomes:
        well = sum(outcome.is_well for outcome in outcomes)
        rows = [outcome.row() for outcome in outcomes]
        tables.append(table_of(f"{len(outcomes)} faults, {well} with a way out", rows))
    return tables


def _everything(runs: list[KilledRun], outcomes: list[Outcome], seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "runs": [asdict(run) for run in runs],
        "faults": [outcome.row() for outcome in outcomes],
    }


if __name__ == "__main__":
    main()
