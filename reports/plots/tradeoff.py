"""Accuracy against length: what each model of a study answers right, and how long its answers are.

A line joins the Pareto front of these two: no other model is at least as good in both and better in
one. The values are taken as they are, noise and all.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING

from stagelift.evals.metrics.measures import measure
from stagelift.reports.numbers.headline import main_metric
from stagelift.reports.plots.canvas import (
    Canvas,
    add_panel,
    new_canvas,
    series,
    write,
)
from stagelift.reports.plots.costs import letter
from stagelift.reports.plots.labels import distinct_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.spots import Box, around, free_spots
from stagelift.reports.plots.style import INK, MUTED, PAPER, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.scoreboard import (
    Reading,
    labelled,
    length_metric,
    models,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
LEFT, TOP, PANEL, AXIS, LINE, RIGHT = 56.0, 26.0, 230.0, 46.0, 17.0, 16.0
MARKER = 8.0


@dataclass(frozen=True)
class Traded:
    """A model's accuracy and length."""

    label: str
    accuracy: Reading
    length: Reading
    on_front: bool = False


def tradeoff_plot(report: Report) -> Plot | None:
    """Draw a point for each model of a study; None where fewer than two have both numbers."""
    main, length = main_metric(report.measured()), length_metric(report)
    is_study = any(run.record.chains for run in report.runs)
    if main is None or length is None or main == length or not is_study:
        return None
    found = [
        Traded(
            labelled(report, model.run, model.name), model.readings[main], model.readings[length]
        )
        for model in models(report)
        if main in model.readings and length in model.readings
    ]
    if len(found) < 2 or measure(main).better is None:
        return None
    points = front(found, more_is_better=measure(main).better == "more")
    title = f"{measure(main).title[0].upper()}{measure(main).title[1:]} against length"
    canvas = _draw(points, main, length)
    return finish(canvas, "tradeoff", title, _alt(points, main, length))


def front(found: Sequence[Traded], *, more_is_better: bool) -> list[Traded]:
    """Mark those that no other model is as good as in both numbers and better than in one."""
    sign = 1 if more_is_better else -1
    merits = [(sign * one.accuracy.value, -one.length.value) for one in found]
    return [
        Traded(
            one.label, one.accuracy, one.length, not any(_beats(other, mine) for other in merits)
        )
        for one, mine in zip(found, merits, strict=True)
    ]


def _beats(other: tuple[float, float], mine: tuple[float, float]) -> bool:
    return other != mine and other[0] >= mine[0] and other[1] >= mine[1]


def _draw(points: Sequence[Traded], main: str, length: str) -> Canvas:
    canvas = new_canvas(TOP + PANEL + AXIS + LINE * len(points) + 8)
    panel = add_panel(canvas, LEFT, TOP, WIDTH - LEFT - RIGHT, PANEL)
    _scale(panel, points, main, length)
    front_line = sorted((one.length.value, one.accuracy.value) for one in points if one.on_front)
    panel.plot(*zip(*front_line, strict=True), color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for position, point in enumerate(points):
        _draw_point(panel, position, point)
    _write_letters(panel, points, front_line)
    known = measure(main)
    write(canvas, 0, 10, f"{known.title}, 95% intervals", size=SMALL, color=MUTED)
    axis = f"{formatting.full_title(length)}; broken line and filled: the Pareto front of the two"
    write(canvas, LEFT, TOP + PANEL + 32, axis, size=SMALL, color=MUTED)
    names = distinct_labels([point.label for point in points], 34)
    for position, (point, name) in enumerate(zip(points, names, strict=True)):
        y = TOP + PANEL + AXIS + LINE * (position + 0.5)
        _draw_key(canvas, position, point, name, y)
        numbers = _numbers(point, main, length)
        write(canvas, WIDTH - RIGHT, y, numbers, align="right", size=SMALL, color=MUTED)
    return canvas


def _scale(panel: "Axes", points: Sequence[Traded], main: str, length: str) -> None:
    """Show all of every interval, with room around it."""
    for metric, axis, readings in (
        (length, panel.xaxis, [point.length for point in points]),
        (main, panel.yaxis, [point.accuracy for point in points]),
    ):
        ends = [
            end for one in readings for end in (one.value, one.low, one.high) if end is not None
        ]
        spare = 0.08 * (max(ends) - min(ends) or 1.0)
        axis.set_view_interval(min(ends) - spare, max(ends) + spare, ignore=True)
        share = measure(metric).unit == "share"
        axis.set_major_formatter(_formatter(is_share=share))
    panel.locator_params(nbins=5)


def _formatter(*, is_share: bool) -> Callable[[float, object], str]:
    return lambda x, _: f"{round(100 * x, 6):.4g}%" if is_share else f"{x:.4g}"


def _draw_point(panel: "Axes", position: int, point: Traded) -> None:
    color, marker = series(position)
    x, y = point.length, point.accuracy
    if x.low is not None and x.high is not None:
        panel.plot([x.low, x.high], [y.value, y.value], color=color, linewidth=1.2)
    if y.low is not None and y.high is not None:
        panel.plot([x.value, x.value], [y.low, y.high], color=color, linewidth=1.2)
    panel.plot(
        [x.value],
        [y.value],
        color=color,
        marker=marker,
        markersize=MARKER,
        markerfacecolor=color if point.on_front else PAPER,
        markeredgewidth=1.4,
    )


def _write_letters(
    panel: "Axes", points: Sequence[Traded], front_line: Sequence[tuple[float, float]]
) -> None:
    """Write each point's letter beside it, clear of all that is drawn."""
    places = [_pixels(panel, point.length.value, point.accuracy.value) for point in points]
    drawn = [box for point in points for box in _drawn(panel, point)]
    drawn += _along([_pixels(panel, *end) for end in front_line])
    letters = [letter(position) for position in range(len(points))]
    for place, spot, name, point in zip(
        places, free_spots(places, letters, drawn), letters, points, strict=True
    ):
        panel.annotate(
            name,
            (point.length.value, point.accuracy.value),
            xytext=(spot[0] - place[0], spot[1] - place[1]),
            textcoords="offset points",
            ha="center",
            va="center",
            color=INK,
            size=SMALL,
        )


def _pixels(panel: "Axes", x: float, y: float) -> tuple[float, float]:
    """Return where a value stands, in pixels from the panel's lower left corner."""
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    across = (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
    return across, (y - low) / (high - low) * PANEL


def _drawn(panel: "Axes", point: Traded) -> Iterator[Box]:
    """Yield a point's marker and its intervals."""
    x, y = point.length, point.accuracy
    yield around(*_pixels(panel, x.value, y.value), MARKER + 3)
    for ends in (((x.low, y.value), (x.high, y.value)), ((x.value, y.low), (x.value, y.high))):
        (left, low), (right, high) = (
            (end_x if end_x is not None else x.value, end_y if end_y is not None else y.value)
            for end_x, end_y in ends
        )
        first, last = _pixels(panel, left, low), _pixels(panel, right, high)
        yield Box(first[0] - 1, first[1] - 1, last[0] + 1, last[1] + 1)


def _along(line: Sequence[tuple[float, float]]) -> Iterator[Box]:
    """Yield small boxes along a line."""
    for (x, y), (to_x, to_y) in pairwise(line):
        steps = int(hypot(to_x - x, to_y - y) / 3) + 1
        for step in range(steps):
            part = step / steps
            yield around(x + part * (to_x - x), y + part * (to_y - y), 3)


def _draw_key(canvas: Canvas, position: int, point: Traded, name: str, y: float) -> None:
    color, marker = series(position)
    face = color if point.on_front else PAPER
    canvas.sheet.plot(
        [LEFT + 4], [y], color=color, marker=marker, markersize=6.5, markerfacecolor=face
    )
    write(canvas, LEFT + 14, y, f"{letter(position)}  {name}", size=SMALL)


def _numbers(point: Traded, main: str, length: str) -> str:
    said = {main: point.accuracy, length: point.length}
    return "; ".join(_value(name, reading) for name, reading in said.items())


def _value(name: str, reading: Reading) -> str:
    value = formatting.plain(name, reading.value)
    if reading.low is None or reading.high is None:
        return value
    return f"{value} {formatting.plain_interval(name, reading.low, reading.high)}"


def _alt(points: Sequence[Traded], main: str, length: str) -> str:
    values = "; ".join(f"{point.label} {_numbers(point, main, length)}" for point in points)
    best = counting.listed([point.label for point in points if point.on_front])
    return (
        f"{formatting.full_title(main)} and {formatting.full_title(length)} of each model: "
        f"{values}. On the Pareto front of the two: {best}."
    )
