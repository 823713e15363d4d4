"""For tests of one's own: `from harness.testing import assert_no_regression`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stagelift.harness.checks.sides import load_margins, load_scores
from stagelift.reports.gates.answer import render_terminal
from stagelift.reports.gates.check import check
from stagelift.reports.gates.margins import read_margins


def assert_no_regression(
    candidate: str,
    baseline: str,
    *,
    margins: Mapping[str, object] | None = None,
    stage: str | None = None,
    inconclusive: Literal["fail", "pass"] = "fail",
    allow_missing: int = 0,
    runs: str | Path = "runs",
    baselines: str | Path = "baselines",
) -> None:
    """Fail where `stagelift check` would, with its table as the message.

    `margins` are as in a recipe's `gates:`, which count where none are given. Raises
    NotComparableError (not a failed assertion) where the two sides cannot be compared, UsageError
    where one of them cannot be read.
    """
    folder = Path(runs)
    wanted = load_margins([], None, candidate, folder) if margins is None else read_margins(margins)
    mine = load_scores(candidate, folder, stage)
    theirs = load_scores(baseline, folder, stage, baselines=Path(baselines))
    found = check(mine, theirs, wanted, allow_missing)
    failing = ("regressed", "inconclusive") if inconclusive == "fail" else ("regressed",)
    assert found.outcome not in failing, f"\n{render_terminal(found)}"
