"""The report in every format, as it is kept."""

import pytest

from stagelift.reports.report import Report
from tests.golden_report import GOLDEN, golden_report, rendered


@pytest.fixture(scope="module")
def report() -> Report:
    return golden_report()


@pytest.fixture(scope="module")
def texts(report: Report) -> dict[str, str]:
    return rendered(report)


@pytest.mark.parametrize(
    "name",
    [
        "report.txt",
        "screen-80.txt",
        "screen-120.txt",
        "screen-study-80.txt",
        "screen-lattice-80.txt",
        "report.md",
        "summary.md",
        "report.json",
        "report.html",
        "lattice.md",
        "variants.md",
    ],
)
def test_a_report_is_what_it_was(texts: dict[str, str], name: str) -> None:
    assert texts[name] == (GOLDEN / name).read_text(encoding="utf-8"), (
        "if that was meant: python -m tests.golden_report"
    )


def test_the_golden_report_shows_every_verdict_and_outcome(report: Report) -> None:
    verdicts = {comparison.verdict for comparison in report.comparisons()}
    assert verdicts == {
        "improved",
        "regressed",
        "longer",
        "shorter",
        "not after Holm",
        "no difference shown",
    }
    assert all(
        any(stage.evaluation.outcomes[outcome] for stage in report.stages())
        for outcome in ("wrong", "unparsed", "truncated")
    )
