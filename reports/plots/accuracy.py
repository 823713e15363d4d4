"""Accuracy by stage: numeric and strict on the test problems, numeric on held-out templates."""

from collections.abc import Sequence

from stagelift.evals.metrics.measures import SHARE, is_of_own_task, measure
from stagelift.evals.records import Metric
from stagelift.reports.plots.forest import Block, Estimate, Row, draw_forest
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.svg import finish
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import value

READINGS = {
    "accuracy": "numeric",
    "accuracy_strict": "strict (####)",
    "accuracy_held_out": "numeric, held-out templates",
}
# series that can be told apart
_MOST_SCORES = 3


def accuracy_plot(report: Report) -> Plot | None:
    """Draw the stages one below the other; None where nothing has a target."""
    stages = [stage for stage in report.stages() if _metrics(stage)]
    if not stages:
        return None
    labels = column_labels(report, stages)
    readings = list(dict.fromkeys(name for stage in stages for name in _metrics(stage)))
    blocks = _blocks(stages, labels, readings)
    titles = [_reading(name) for name in readings]
    canvas = draw_forest(blocks, titles, "accuracy, with 95% intervals")
    alt = " ".join(_sentence(name, stages, labels) for name in readings)
    return finish(canvas, "accuracy", "Accuracy by stage", alt)


def _metrics(stage: StageRecord) -> dict[str, Metric]:
    """Return the accuracies, or in a user's own task its first scores that are shares."""
    metrics = stage.evaluation.metrics
    own = [name for name in metrics if is_of_own_task(name, None) and measure(name).bounds == SHARE]
    return {name: metrics[name] for name in (*READINGS, *own[:_MOST_SCORES]) if name in metrics}


def _reading(name: str) -> str:
    return READINGS.get(name, measure(name).title)


def _blocks(
    stages: Sequence[StageRecord], labels: Sequence[str], readings: Sequence[str]
) -> list[Block]:
    """Put the stages of each run into a block of their own."""
    blocks: dict[str, Block] = {}
    for stage, label in zip(stages, labels, strict=True):
        metrics = _metrics(stage)
        estimates = [
            Estimate(metrics[name], series)
            for series, name in enumerate(readings)
            if name in metrics
        ]
        block = blocks.setdefault(stage.run, Block("", []))
        block.rows.append(Row(label, estimates))
    return list(blocks.values())


def _sentence(name: str, stages: Sequence[StageRecord], labels: Sequence[str]) -> str:
    measured = {
        label: _metrics(stage)[name]
        for stage, label in zip(stages, labels, strict=True)
        if name in _metrics(stage)
    }
    values = ", ".join(f"{label} {value(name, metric)}" for label, metric in measured.items())
    sizes = {metric.n for metric in measured.values()}
    n = " to ".join(str(size) for size in sorted({min(sizes), max(sizes)}))
    return f"Accuracy by stage, {_reading(name)}: {values} (n={n})."
