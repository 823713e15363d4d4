"""The regression check for tests of one's own, which `stagelift.testing` passes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stagelift.harness.checks.checking import Request, checked
from stagelift.reports.gates.answer import render_terminal

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

    `margins` are as in a recipe's `gates:`; they count above those that the baseline declares.
    Raises NotComparableError (not a failed assertion) where the two sides cannot be compared or
    something required is missing, UsageError or ValueError where one of them cannot be read.
    """
    answer = checked(
        Request(
            candidate=candidate,
            baseline=baseline,
            stage=stage,
            gates=None,
            margins=margins or {},
            runs=Path(runs),
            baselines=Path(baselines),
            allow_missing=allow_missing,
        )
    )
    failures = ["regressed"]
    if inconclusive == "fail":
        failures.append("inconclusive")
    assert answer.outcome not in failures, f"\n{render_terminal(answer)}"
