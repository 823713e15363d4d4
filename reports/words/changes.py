"""What scoring a run again changed, as lines to read."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure
from stagelift.evals.printed import safe_text
from stagelift.evals.records import Metric
from stagelift.reports.words import formatting


@dataclass(frozen=True)
class Change:
    """What became of one stage: metrics that moved (old, new), and responses that are read
    otherwise now.
    """

    stage: str
    metrics: dict[str, tuple[Metric | None, Metric | None]]
    responses: int
    examples: list[str]


def describe_changes(changes: Sequence[Change]) -> list[str]:
    """Write a line per metric and example that changed, or that nothing did."""
    lines = []
    for change in changes:
        if not change.metrics and not change.responses:
            lines.append(f"{change.stage}: nothing changed")
            continue
        lines.append(f"{change.stage}: {change.responses} responses count otherwise now")
        for name, (old, new) in change.metrics.items():
            if measure(name).quantile is None:
                title = formatting.full_title(name)
                lines.append(f"  {title}: {_value(name, old)} -> {_value(name, new)}")
        lines += [f"  {safe_text(example)}" for example in change.examples]
    return lines


def _value(name: str, metric: Metric | None) -> str:
    return "not measured" if metric is None else formatting.value_with_n(name, metric)
