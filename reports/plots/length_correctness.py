"""Length against correctness: accuracy among a stage's shorter and longer responses.

It does not say that length is why: harder problems have longer answers, and a cut-off one is both
long and wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from stagelift.evals.metrics.measures import SHARE, leading, measure
from stagelift.evals.records import Metric
from stagelift.evals.stats import estimates
from stagelift.reports.numbers.values import prompt_values
from stagelift.reports.plots.canvas import (
    Canvas,
    add_panel,
    new_canvas,
    percent_axis,
    text_width,
    write,
)
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.prompt_lengths import Unit, known_unit, prompt_lengths
from stagelift.reports.plots.style import MUTED, SERIES, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import value_with_n

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
LEFT, SPACE = 44.0, 18.0
HEADER, PANEL, BELOW, BOTTOM = 28.0, 120.0, 24.0, 22.0
MOST_BINS, FEWEST_PROMPTS = 4, 12


@dataclass(frozen=True)
class Bin:
    """Prompts with responses of a similar length, and how many of those are right."""

    shortest: float
    longest: float
    mean: float
    accuracy: Metric


def length_correctness_plot(report: Report) -> Plot | None:
    """Draw a panel for each stage; None where nothing has both a length and a target."""
    unit = known_unit(report.stages())
    stages, rows = [], []
    for stage in report.stages():
        lengths, correct = prompt_lengths(stage, unit), _correct(stage)
        bins = length_bins(lengths, correct)
        if bins:
            stages.append(stage)
            rows.append(bins)
    if not stages:
        return None
    panels = list(zip(column_labels(report, stages), rows, strict=True))
    canvas, alt = _draw(panels, unit), _alt(panels, unit)
    return finish(canvas, "length_correctness", "Length and correctness", alt)


def _correct(stage: StageRecord) -> dict[str, float]:
    """Return how right each prompt's responses are: by accuracy, or the first score of one's own,
    where that is a share.
    """
    name = leading(stage.evaluation.metrics) or "accuracy"
    return prompt_values(name, stage, stage) if measure(name).bounds == SHARE else {}


def length_bins(lengths: Mapping[str, float], correct: Mapping[str, float]) -> list[Bin]:
    """Split prompts at quantiles of length: four bins, or as many as have a dozen prompts.

    Equal lengths stay together. With one sample per prompt a bin's interval is Wilson's.
    """
    shared = [problem for problem in lengths if problem in correct]
    if not shared:
        return []
    x = np.array([lengths[problem] for problem in shared])
    right = np.array([correct[problem] for problem in shared])
    bins = min(MOST_BINS, max(1, x.size // FEWEST_PROMPTS))
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1]))
    places = np.searchsorted(edges, x, side="left")
    return [_bin(x[places == place], right[places == place]) for place in np.unique(places)]


def _bin(lengths: "np.ndarray", right: "np.ndarray") -> Bin:
    return Bin(
        shortest=float(lengths.min()),
        longest=float(lengths.max()),
        mean=float(lengths.mean()),
        accuracy=estimates.rate(right.tolist()),
    )


def _draw(panels: Sequence[tuple[str, list[Bin]]], unit: Unit) -> Canvas:
    across = _across([label for label, _ in panels])
    width = (WIDTH - LEFT - SPACE * across) / across
    height = HEADER + PANEL + BELOW
    canvas = new_canvas(height * ceil(len(panels) / across) + BOTTOM)
    end = _end([length_bin for _, bins in panels for length_bin in bins])
    for position, (label, bins) in enumerate(panels):
        row, column = divmod(position, across)
        left, top = LEFT + (width + SPACE) * column, height * row
        panel = add_panel(canvas, left, top + HEADER, width, PANEL)
        percent_axis(panel, "y", (0, 0.5, 1))
        panel.set_xlim(-0.03 * end, 1.05 * end + 1)
        panel.locator_params(axis="x", nbins=3, integer=True)
        if column > 0:
            panel.set_yticklabels([])
        _draw_bins(panel, bins)
        write(canvas, left, top + 14, label)
    axis = f"accuracy among shorter and longer responses, 95% intervals; across: {unit}"
    write(canvas, LEFT, canvas.height - 9, axis, color=MUTED, size=SMALL)
    return canvas


def _across(labels: Sequence[str]) -> int:
    """Say how many panels stand side by side: in even rows, with room for every label."""
    widest = max(map(text_width, labels))
    fitting = int((WIDTH - LEFT) // (widest + SPACE))
    return min(_even(len(labels)), max(2, fitting))


def _even(panels: int) -> int:
    """Say how many to put into a row so that rows are as even as they can be."""
    if panels in (1, 2, 4):
        return 2
    if panels % 4 == 0:
        return 4
    return 3


def _end(bins: Sequence[Bin]) -> float:
    """Say where the axes end.

    The longest response of all may be very far out; its bin's line then leaves the panel.
    """
    longest = max(length_bin.longest for length_bin in bins)
    return min(longest, 1.5 * max(length_bin.mean for length_bin in bins))


def _draw_bins(panel: "Axes", bins: Sequence[Bin]) -> None:
    means = [length_bin.mean for length_bin in bins]
    values = [length_bin.accuracy.value for length_bin in bins]
    color = SERIES[0]
    panel.plot(means, values, color=color, linewidth=1)
    for length_bin in bins:
        x, y = length_bin.mean, length_bin.accuracy.value
        span = [length_bin.shortest, length_bin.longest]
        interval = [length_bin.accuracy.low, length_bin.accuracy.high]
        panel.plot(span, [y, y], color=color, linewidth=1, alpha=0.5)
        panel.plot([x, x], interval, color=color, linewidth=1.6)
        panel.plot([x], [y], color=color, marker="o", markersize=6, clip_on=False)


def _alt(panels: Sequence[tuple[str, list[Bin]]], unit: Unit) -> str:
    stages = [
        f"{label}: {', '.join(_words(length_bin, unit) for length_bin in bins)}"
        for label, bins in panels
    ]
    return f"Accuracy among shorter and longer responses. {'; '.join(stages)}."


def _words(length_bin: Bin, unit: Unit) -> str:
    ends = [f"{round(end, 1):g}" for end in (length_bin.shortest, length_bin.longest)]
    lengths = " to ".join(dict.fromkeys(ends))
    return f"{lengths} {unit} {value_with_n('accuracy', length_bin.accuracy)}"
