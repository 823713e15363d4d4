"""How long responses are: the distribution over test problems, stage by stage.

Lengths of cut-off ones are the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from stagelift.reports.plots.canvas import Canvas, add_panel, new_canvas, text_width, write
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.prompt_lengths import Unit, known_unit, prompt_lengths
from stagelift.reports.plots.style import INK, MUTED, SERIES, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
ROW, PEAK, TOP, BOTTOM = 44.0, 36.0, 6.0, 44.0
BINS = 48


@dataclass(frozen=True)
class Lengths:
    """A stage's lengths, one of each problem, and the quantiles a reader looks for."""

    label: str
    values: list[float]
    median: float
    p90: float

    def __str__(self) -> str:
        """Write the quantiles as they stand beside the histogram."""
        return f"median {_length(self.median)}, p90 {_length(self.p90)}"


def lengths_plot(report: Report) -> Plot | None:
    """Draw a histogram for each stage above one axis; None where no stage's lengths are known."""
    unit = known_unit(report.stages())
    stages = [
        (stage, values) for stage in report.stages() if (values := prompt_lengths(stage, unit))
    ]
    if not stages:
        return None
    labels = column_labels(report, [stage for stage, _ in stages])
    lengths = [
        _lengths(label, list(values.values()))
        for label, (_, values) in zip(labels, stages, strict=True)
    ]
    return finish(_draw(lengths, unit), "lengths", "Response lengths", _alt(lengths, unit))


def _lengths(label: str, values: list[float]) -> Lengths:
    median, p90 = np.quantile(values, (0.5, 0.9))
    return Lengths(label, values, float(median), float(p90))


def _draw(stages: Sequence[Lengths], unit: Unit) -> Canvas:
    canvas = new_canvas(TOP + ROW * len(stages) + BOTTOM)
    left = max(text_width(stage.label) for stage in stages) + 16
    right = max(text_width(str(stage), SMALL) for stage in stages) + 14
    panel = add_panel(canvas, left, TOP, WIDTH - left - right, ROW * len(stages))
    edges = _edges(stages)
    panel.set(ylim=(ROW * len(stages), 0), xlim=(0, edges[-1]), yticks=[])
    for position, stage in enumerate(stages):
        floor = ROW * (position + 1)
        _draw_histogram(panel, stage, edges, floor)
        write(canvas, left - 8, TOP + floor - 8, stage.label, align="right")
        write(canvas, WIDTH - right + 14, TOP + floor - 8, str(stage), size=SMALL, color=MUTED)
    axis = f"{unit} per response; line: median; each row scaled to its peak"
    write(canvas, WIDTH / 2, canvas.height - 9, axis, align="center", color=MUTED, size=SMALL)
    return canvas


def _edges(stages: Sequence[Lengths]) -> "np.ndarray":
    """Return bins of whole tokens, the same ones for all stages.

    The last one has the longest response in it, not at its end.
    """
    longest = max(max(stage.values) for stage in stages)
    width = max(1, ceil((longest + 1) / BINS))
    return np.arange(0, longest + 1 + width, width)


def _draw_histogram(panel: "Axes", stage: Lengths, edges: "np.ndarray", floor: float) -> None:
    counts, _ = np.histogram(stage.values, edges)
    heights = floor - PEAK * counts / counts.max()
    panel.stairs(
        heights, edges, baseline=floor, fill=True, color=SERIES[0], alpha=0.45, linewidth=0
    )
    panel.stairs(heights, edges, baseline=None, color=SERIES[0], linewidth=1)
    panel.plot([stage.median] * 2, [floor, floor - PEAK - 3], color=INK, linewidth=1.6)


def _alt(stages: Sequence[Lengths], unit: Unit) -> str:
    texts = "; ".join(map(_words, stages))
    return f"Length of responses to the test problems in {unit}: {texts}."


def _words(stage: Lengths) -> str:
    shortest, longest = min(stage.values), max(stage.values)
    span = f"from {_length(shortest)} to {_length(longest)}"
    return f"{stage.label} {stage}, {span} (n={len(stage.values)})"


def _length(value: float) -> str:
    """Write a length: a tenth of a token says something of short ones only."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{round(value, 1):g}"
