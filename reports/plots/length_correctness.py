"""Length against correctness: accuracy among a stage's shorter and longer responses.

It does not say that length is why: harder problems have longer answers, and a cut-off one is both
long and wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import value_with_n

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT, SPACE = 44.0, 18.0
# pixels
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
    stages = [
        (stage, bins)
        for stage in report.stages()
        if (
            bins := length_bins(
                prompt_lengths(stage, unit), prompt_values("accuracy", stage, stage)
            )
        )
    ]
    if not stages:
        return None
    labels = column_labels(report, [stage for stage, _ in stages])
    panels = list(zip(labels, [bins for _, bins in stages], strict=True))
    return finish(
        _draw(panels, unit), "length_correctness", "Length and correctness", _alt(panels, unit)
    )


def length_bins(lengths: Mapping[str, float], correct: Mapping[str, float]) -> list[Bin]:
    """Split prompts at quantiles of length, four bins or as many as have a dozen prompts; equal
    lengths stay together.

    With one sample per prompt a bin's interval is Wilson's.
    """
    shared = [problem for problem in lengths if problem in correct]
    if not shared:
        return []
    x = np.array([lengths[problem] for problem in shared])
    bins = min(MOST_BINS, max(1, x.size // FEWEST_PROMPTS))
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, x, side="left")
    return [
        _bin(x[place == one], [correct[shared[index]] for index in np.flatnonzero(place == one)])
        for one in np.unique(place)
    ]


def _bin(lengths: "np.ndarray", correct: list[float]) -> Bin:
    return Bin(
        float(lengths.min()), float(lengths.max()), float(lengths.mean()), estimates.rate(correct)
    )


def _draw(panels: Sequence[tuple[str, list[Bin]]], unit: Unit) -> Canvas:
    across = _across([label for label, _ in panels])
    width = (WIDTH - LEFT - SPACE * across) / across
    row = HEADER + PANEL + BELOW
    canvas = new_canvas(row * -(-len(panels) // across) + BOTTOM)
    bins = [one for _, found in panels for one in found]
    # the longest of all may be very far out; a bin's line then leaves the panel
    end = min(max(one.longest for one in bins), 1.5 * max(one.mean for one in bins))
    for position, (label, found) in enumerate(panels):
        left, top = LEFT + (width + SPACE) * (position % across), row * (position // across)
        panel = add_panel(canvas, left, top + HEADER, width, PANEL)
        percent_axis(panel, "y", (0, 0.5, 1))
        panel.set_xlim(-0.03 * end, 1.05 * end + 1)
        panel.locator_params(axis="x", nbins=3, integer=True)
        if position % across:
            panel.set_yticklabels([])
        _draw_bins(panel, found)
        write(canvas, left, top + 14, label)
    axis = f"accuracy among shorter and longer responses, 95% intervals; across: {unit}"
    write(canvas, LEFT, canvas.height - 9, axis, color=MUTED, size=SMALL)
    return canvas


def _across(labels: Sequence[str]) -> int:
    """How many panels stand side by side: rows as even as they can be, and room for every label."""
    even = 2 if len(labels) in (1, 2, 4) else 4 if len(labels) % 4 == 0 else 3
    return min(even, max(2, int((WIDTH - LEFT) // (max(map(text_width, labels)) + SPACE))))


def _draw_bins(panel: "Axes", bins: Sequence[Bin]) -> None:
    panel.plot(
        [one.mean for one in bins],
        [one.accuracy.value for one in bins],
        color=SERIES[0],
        linewidth=1,
    )
    for one in bins:
        panel.plot(
            [one.shortest, one.longest],
            [one.accuracy.value] * 2,
            color=SERIES[0],
            linewidth=1,
            alpha=0.5,
        )
        panel.plot(
            [one.mean] * 2, [one.accuracy.low, one.accuracy.high], color=SERIES[0], linewidth=1.6
        )
        panel.plot(
            [one.mean],
            [one.accuracy.value],
            color=SERIES[0],
            marker="o",
            markersize=6,
            clip_on=False,
        )


def _alt(panels: Sequence[tuple[str, list[Bin]]], unit: Unit) -> str:
    stages = "; ".join(
        f"{label}: {', '.join(_words(one, unit) for one in bins)}" for label, bins in panels
    )
    return f"Accuracy among shorter and longer responses. {stages}."


def _words(one: Bin, unit: Unit) -> str:
    ends = dict.fromkeys(f"{round(end, 1):g}" for end in (one.shortest, one.longest))
    lengths = " to ".join(ends)
    return f"{lengths} {unit} {value_with_n('accuracy', one.accuracy)}"
