"""Names as a plot shows them: harmless, short, and still apart."""

import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence

from stagelift.evals.printed import shown_name
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report

LIMIT, RUN_LIMIT, STAGE_LIMIT = 26, 16, 12


def column_labels(report: Report, stages: Sequence[StageRecord]) -> list[str]:
    """Return a label for each stage, no two alike.

    It is `Report.column`, with a run's and a stage's name short enough each.
    """
    names = [run.name for run in report.runs]
    if len(names) == 1:
        return distinct_labels([report.column(stage) for stage in stages])
    runs = dict(zip(names, distinct_labels(names, RUN_LIMIT), strict=True))
    labels = [f"{runs[stage.run]}/{short_label(stage.name, STAGE_LIMIT)}" for stage in stages]
    return distinct_labels(labels, sys.maxsize)


def distinct_labels(names: Sequence[str], limit: int = LIMIT) -> list[str]:
    """Shorten names; those that would look alike get a number."""
    short = [short_label(name, limit) for name in names]
    counts = Counter(short)
    seen: Counter[str] = Counter()
    labels = []
    for label in short:
        seen[label] += 1
        labels.append(f"{label} ({seen[label]})" if counts[label] > 1 else label)
    return labels


def short_label(name: str, limit: int = LIMIT) -> str:
    """Return a name on one line, cut in its middle where it is too long.

    Run names differ at their ends, and stages are named there.
    """
    text = shown_name(name)
    if columns(text) <= limit:
        return text
    tail = _fitting(text[::-1], limit * 2 // 3)[::-1]
    return f"{_fitting(text, limit - 1 - columns(tail))}…{tail}"


def columns(text: str) -> int:
    """Say how wide a text is, in letters; an ideograph is two."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide


def _fitting(text: str, limit: int) -> str:
    while columns(text) > limit:
        text = text[:-1]
    return text


def points(share: float) -> str:
    """Write a difference of shares in percentage points: `+12.5`."""
    if abs(share) < 0.0005:
        return "0.0"
    return f"{100 * share:+.1f}"
