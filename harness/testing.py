"""The regression check for tests of one's own, which `stagelift.testing` passes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stagelift.harness.checks.sides import load_margins, load_scores
from stagelift.reports.gates.answer import render_terminal
from stagelift.reports.gates.check import check
from stagelift.reports.gates.margins import read_margins

__all__ = ["assert_no_regression"]


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
    if margins is None:
        limits = load_margins([], None, candidate, folder)
    else:
        limits = read_margins(margins)
    new = load_scores(candidate, folder, stage)
    old = load_scores(baseline, folder, stage, baselines=Path(baselines))
    answer = check(new, old, limits, allow_missing)
    failures = ["regressed"]
    if inconclusive == "fail":
        failures.append("inconclusive")
    assert answer.outcome not in failures, f"\n{render_terminal(answer)}"
