import pytest

from tests.golden_report import GOLDEN, golden_report, rendered


@pytest.mark.parametrize(
    "name",
    [
        "report.txt",
        "report.md",
        "summary.md",
        "report.json",
        "report.html",
        "lattice.md",
        "variants.md",
    ],
)
def test_a_report_is_what_it_was(name: str) -> None:
    text = rendered(golden_report())[name]
    assert text == (GOLDEN / name).read_text(encoding="utf-8"), (
        "if that was meant: python -m tests.golden_report"
    )


def test_the_golden_report_shows_every_verdict_and_outcome() -> None:
    report = golden_report()
    verdicts = {found.verdict for found in report.comparisons}
    assert verdicts == {"improved", "regressed", "no difference shown", "identical"}
    assert all(
        any(stage.evaluation.outcomes[o] for stage in report.stages())
        for o in ("wrong", "unparsed", "truncated")
    )
