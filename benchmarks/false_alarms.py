"""How often `stagelift check` errs: two tables on simulated sides.

    python -m benchmarks.false_alarms            # the rule: equal sides, 2,000 pairs a cell
    python -m benchmarks.false_alarms --command  # the command: 400 equal pairs, 400 true falls

The first table has exit 1 (regressed) and exit 0 (passed) of equal models, for one, two and three
gates that are independent or go together, and how often exit 1 would be without Holm. The second
goes through the command, with its three default gates. Neither says anything of training seeds.
"""

import argparse
import gc
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np

from stagelift.evals.files import write_text
from stagelift.evals.stats.families import ALPHA, holm
from stagelift.harness.checks.baselines import sealed
from stagelift.harness.cli import app
from stagelift.reports.gates.evidence import evidence
from stagelift.reports.gates.gate import decide
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.scores import StageScores

SIZES = (50, 100, 200, 500, 1319)
PAIRS = 2000
OF_COMMAND = 400
# right or wrong, two points each
GATES = ("accuracy", "accuracy_strict", "accuracy_flexible")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", action="store_true", help="go through the command")
    if parser.parse_args().command:
        _print_command()
    else:
        _print_rule()


def rates(n: int, gates: int, *, together: bool, pairs: int = PAIRS) -> tuple[float, float, float]:
    """Return how often equal sides exit with 1, how often they would without Holm, and how often
    they pass.
    """
    rng = np.random.default_rng([n, gates, together])
    # statsmodels' multipletests collects all garbage on every call
    gc.freeze()
    outcomes, unadjusted = Counter[str](), 0
    for _ in range(pairs):
        sides = equal_sides(rng, n, gates, together=together)
        measured = [evidence(Margin(name, 2.0), *sides) for name in GATES[:gates]]
        decided = [
            decide(found.low, found.high, found.size, "more", worse=p < ALPHA)[0]
            for found, p in zip(measured, holm([found.p for found in measured]), strict=True)
        ]
        outcomes["exit 1"] += "regressed" in decided
        outcomes["exit 0"] += not {"regressed", "inconclusive"} & {*decided}
        unadjusted += any(found.high < 0 and found.low <= -found.size for found in measured)
    gc.unfreeze()
    return outcomes["exit 1"] / pairs, unadjusted / pairs, outcomes["exit 0"] / pairs


def equal_sides(
    rng: np.random.Generator, n: int, gates: int, *, together: bool
) -> tuple[StageScores, StageScores]:
    """Draw two sides that are equally good: 60% right, and one problem in five has its own luck.

    Gates that go together change on four in five of the same problems.
    """
    shared = rng.random((gates, n)) < 0.6
    own = rng.random((2, gates, n))
    if together:
        follows = rng.random((2, gates, n)) < 0.8
        own = np.where(follows, own[:, :1], own)
        shared = np.broadcast_to(shared[:1], shared.shape)
    # below .2 a problem is drawn anew, right in 60% of these
    right = np.where(own < 0.2, own < 0.12, shared)
    return side(right[0]), side(right[1])


def side(right: np.ndarray) -> StageScores:
    """Make a side of right and wrong answers, one row a gate."""
    ids = [f"p/{number}" for number in range(right.shape[1])]
    columns = zip(GATES, right.astype(float).tolist(), strict=False)
    return _scores({name: dict(zip(ids, column, strict=True)) for name, column in columns})


def default_gates(rng: np.random.Generator, n: int, drop: float) -> tuple[StageScores, StageScores]:
    """Draw two sides with accuracy, a win rate that follows it, and skewed lengths; the first has
    lost `drop` of its accuracy.
    """
    hard = rng.random(n)
    ids = [f"p/{number}" for number in range(n)]

    def one(drop: float) -> StageScores:
        own = rng.random(n) < 0.2
        right = np.where(own, rng.random(n) < 0.6, hard < 0.6) & ~(rng.random(n) < drop / 0.6)
        won = np.where(right, 1.0, np.where(rng.random(n) < 0.5, 0.5, 0.0))
        tokens = 100 * np.exp(rng.normal(0, 0.2, n)) * (1 + hard)
        columns = {"accuracy": right * 1.0, "win_rate_base": won, "length_tokens": tokens}
        return _scores(
            {name: dict(zip(ids, column.tolist(), strict=True)) for name, column in columns.items()}
        )

    return one(drop), one(0.0)


def exit_codes(n: int, drop: float, pairs: int = OF_COMMAND) -> Counter[int]:
    """Check pairs of sides through the command, and count its exit codes."""
    rng = np.random.default_rng([n, round(1000 * drop)])
    with tempfile.TemporaryDirectory() as folder:
        return Counter(_exit_code(Path(folder), *default_gates(rng, n, drop)) for _ in range(pairs))


def _exit_code(folder: Path, candidate: StageScores, baseline: StageScores) -> int:
    for name, scores in (("candidate", candidate), ("baseline", baseline)):
        write_text(folder / f"{name}.json", sealed(scores, []))
    arguments = ["check", str(folder / "candidate.json"), "--baseline"]
    with redirect_stdout(StringIO()):
        try:
            app([*arguments, str(folder / "baseline.json")])
        except SystemExit as done:
            return int(done.code or 0)
    return 0


def _scores(values: dict[str, dict[str, float]]) -> StageScores:
    contract = {"task": "simulated"}
    return StageScores(
        run="run",
        stage="grpo",
        contract_id="simulated",
        contract=contract,
        opponent="base",
        values=values,
        lengths={},
    )


def _print_rule() -> None:
    columns = [(1, False), (2, False), (2, True), (3, False), (3, True)]
    titles = [
        f"{gates} gate{'s, together' if together else 's' if gates > 1 else ''}"
        for gates, together in columns
    ]
    sys.stdout.write(f"| n | {' | '.join(titles)} |\n|---:|{'---:|' * len(columns)}\n")
    for n in SIZES:
        cells = [rates(n, gates, together=together) for gates, together in columns]
        written = [f"{alarm:.1%} ({raw:.1%}), {passed:.0%}" for alarm, raw, passed in cells]
        sys.stdout.write(f"| {n:,} | {' | '.join(written)} |\n")
        sys.stdout.flush()


def _print_command() -> None:
    sys.stdout.write("| n | true fall | exit 0 | exit 1 | exit 3 |\n|---:|---:|---:|---:|---:|\n")
    for n in (200, 1319):
        for drop in (0.0, 0.04):
            codes = exit_codes(n, drop)
            shares = [f"{codes[code] / codes.total():.1%}" for code in (0, 1, 3)]
            sys.stdout.write(f"| {n:,} | {100 * drop:g} points | {' | '.join(shares)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
