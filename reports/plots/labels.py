"""Names as a plot shows them: harmless, short, and still apart."""

import sys
import unicodedata
from collections.abc import Sequence

from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import safe_text

LIMIT, RUN_LIMIT, STAGE_LIMIT = 26, 16, 12


def column_labels(report: Report, stages: Sequence[StageRecord]) -> list[str]:
    """Return a label for each stage, no two alike: `Report.column` with a run's and a stage's name
    short enough each.
    """
    names = [run.name for run in report.runs]
    if len(names) == 1:
        return distinct_labels([report.column(stage) for stage in stages])
    runs = dict(zip(names, distinct_labels(names, RUN_LIMIT), strict=True))
    return distinct_labels(
        [f"{runs[stage.run]}/{short_label(stage.name, STAGE_LIMIT)}" for stage in stages],
        sys.maxsize,
    )


def distinct_labels(names: Sequence[str], limit: int = LIMIT) -> list[str]:
    """Shorten names; those that would look alike get a number."""
    short = [short_label(name, limit) for name in names]
    return [
        label if short.count(label) == 1 else f"{label} ({short[: position + 1].count(label)})"
        for position, label in enumerate(short)
    ]


def short_label(name: str, limit: int = LIMIT) -> str:
    """Return a name on one line, left out in the middle: run names differ at their ends and stages
    are named there.
    """
    text = plain(name)
    if columns(text) <= limit:
        return text
    tail = _fitting(text[::-1], limit * 2 // 3)[::-1]
    return f"{_fitting(text, limit - 1 - columns(tail))}…{tail}"


def plain(name: str) -> str:
    """Return a name on one line, without anything that acts on a page or that XML has no place
    for.
    """
    return (
        " ".join(c for c in safe_text(name).split() if c).translate({0xFFFE: None, 0xFFFF: None})
        or "(no name)"
    )


def columns(text: str) -> int:
    """How wide a text is, in letters; an ideograph is two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def points(share: float) -> str:
    """Write a difference of shares in percentage points: `+12.5`."""
    return f"{100 * share:+.1f}" if abs(share) >= 0.0005 else "0.0"


def _fitting(text: str, limit: int) -> str:
    while columns(text) > limit:
        text = text[:-1]
    return text
