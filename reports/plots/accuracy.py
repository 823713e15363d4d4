"""Accuracy by stage: numeric and strict on the test problems, numeric on held-out templates."""

from itertools import groupby
from operator import itemgetter

from stagelift.evals.records import Metric
from stagelift.reports.plots.forest import Block, Estimate, Row, draw_forest
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import value

READINGS = {
    "accuracy": "numeric",
    "accuracy_strict": "strict (####)",
    "accuracy_held_out": "numeric, held-out templates",
}


def accuracy_plot(report: Report) -> Plot | None:
    """Draw the stages one below the other; None where nothing has a target."""
    stages = [
        stage for stage in report.stages() if READINGS.keys() & stage.evaluation.metrics.keys()
    ]
    if not stages:
        return None
    readings = [
        name for name in READINGS if any(name in stage.evaluation.metrics for stage in stages)
    ]
    labels = column_labels(report, stages)
    metrics = [stage.evaluation.metrics for stage in stages]
    rows = [
        (
            stage.run,
            Row(
                label,
                [
                    Estimate(found[name], number)
                    for number, name in enumerate(readings)
                    if name in found
                ],
            ),
        )
        for stage, label, found in zip(stages, labels, metrics, strict=True)
    ]
    blocks = [Block("", [row for _, row in run]) for _, run in groupby(rows, key=itemgetter(0))]
    canvas = draw_forest(
        blocks, [READINGS[name] for name in readings], "accuracy, with 95% intervals"
    )
    alt = " ".join(_sentence(name, labels, metrics) for name in readings)
    return finish(canvas, "accuracy", "Accuracy by stage", alt)


def _sentence(name: str, labels: list[str], metrics: list[dict[str, Metric]]) -> str:
    read = [
        (label, found[name]) for label, found in zip(labels, metrics, strict=True) if name in found
    ]
    values = ", ".join(f"{label} {value(name, metric)}" for label, metric in read)
    sizes = sorted({metric.n for _, metric in read})
    n = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"Accuracy by stage, {READINGS[name]}: {values} (n={n})."
