"""The curve of a training: a metric on the validation problems against the step, with intervals.

The selected checkpoint is filled, those that cannot be told from it are, too, but smaller; the
others are hollow. Base is a line across. It does not show the test problems: the stage's own
columns do.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
from stagelift.reports.numbers.trajectory import Point, Trajectory
from stagelift.reports.plots.canvas import Canvas, add_panel, new_canvas, text_width, write
from stagelift.reports.plots.labels import short_label
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import MUTED, PAPER, SERIES, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report
from stagelift.reports.words import formatting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
HEADER, PANEL, BELOW, LEFT, RIGHT, KEY = 26.0, 170.0, 44.0, 56.0, 14.0, 22.0


def trajectory_plot(report: Report) -> Plot | None:
    """Draw a panel for each stage that was selected among checkpoints; None where none was."""
    curves = [curve for run in report.runs for curve in run.trajectories]
    if not curves:
        return None
    height = HEADER + PANEL + BELOW
    canvas = new_canvas(height * len(curves) + KEY)
    for place, curve in enumerate(curves):
        _draw(canvas, curve, height * place)
    _draw_key(canvas, height * len(curves) + 6)
    alt = " ".join(_sentence(curve) for curve in curves)
    return finish(canvas, "trajectory", "Which checkpoint", alt)


def _draw(canvas: Canvas, curve: Trajectory, top: float) -> None:
    title = formatting.full_title(curve.metric)
    write(canvas, 0, top + 10, f"{short_label(curve.stage)}: {title}", bold=True)
    panel = add_panel(canvas, LEFT, top + HEADER, WIDTH - LEFT - RIGHT, PANEL)
    _draw_axes(panel, curve)
    if curve.base is not None:
        _draw_base(panel, curve.base)
    color = SERIES[0]
    steps = [point.step for point in curve.points]
    values = [point.value.value for point in curve.points]
    panel.plot(steps, values, color=color, linewidth=1.2)
    for point in curve.points:
        _draw_point(panel, point, color)
    n = curve.best.value.n
    text = f"across: training step; validation problems, n={n}, with 95% intervals"
    write(canvas, LEFT, top + HEADER + PANEL + 30, text, color=MUTED, size=SMALL)


def _draw_axes(panel: "Axes", curve: Trajectory) -> None:
    """Show the steps that there are, and all of every interval."""
    steps = [point.step for point in curve.points]
    reach = max(steps) - min(steps) or 1
    panel.set_xlim(min(steps) - 0.04 * reach, max(steps) + 0.04 * reach)
    panel.set_xticks(_ticks(steps))
    shown = [point.value for point in curve.points]
    if curve.base is not None:
        shown.append(curve.base)
    low, high = min(metric.low for metric in shown), max(metric.high for metric in shown)
    spare = 0.06 * (high - low or 1)
    panel.set_ylim(low - spare, high + spare)
    panel.locator_params(axis="y", nbins=5)
    panel.yaxis.set_major_formatter(lambda number, _: formatting.plain(curve.metric, number))


def _ticks(steps: Sequence[int]) -> list[int]:
    """Return the steps to write: those whose numbers have room beside the one before."""
    reach = (max(steps) - min(steps) or 1) / (0.92 * (WIDTH - LEFT - RIGHT))
    kept: list[int] = []
    for step in sorted(steps):
        need = text_width(f" {step} ", SMALL) * reach
        if not kept or step - kept[-1] >= need:
            kept.append(step)
    return kept


def _draw_base(panel: "Axes", base: Metric) -> None:
    panel.axhspan(base.low, base.high, color=SERIES[1], alpha=0.12, linewidth=0)
    panel.axhline(base.value, color=SERIES[1], linewidth=1.4, linestyle=(0, (5, 3)))


def _draw_point(panel: "Axes", point: Point, color: str) -> None:
    metric = point.value
    panel.plot([point.step] * 2, [metric.low, metric.high], color=color, linewidth=1.6)
    panel.plot(
        [point.step],
        [metric.value],
        marker="o",
        color=color,
        markersize=9.0 if point.beside is None else 5.5,
        markerfacecolor=PAPER if _is_apart(point) else color,
        markeredgewidth=1.4,
        linestyle="none",
        clip_on=False,
    )


def _is_apart(point: Point) -> bool:
    return point.beside is not None and point.beside.is_apart


def _draw_key(canvas: Canvas, y: float) -> None:
    x = LEFT
    for size, face, text in (
        (9.0, SERIES[0], "selected"),
        (5.5, SERIES[0], "cannot be told from it"),
        (5.5, PAPER, "told apart"),
    ):
        canvas.sheet.plot(
            [x + 5],
            [y],
            marker="o",
            color=SERIES[0],
            markersize=size,
            markerfacecolor=face,
            clip_on=False,
        )
        write(canvas, x + 15, y, text, size=SMALL)
        x += 15 + text_width(text, SMALL) + 18
    canvas.sheet.plot([x, x + 22], [y, y], color=SERIES[1], linewidth=1.4, linestyle=(0, (5, 3)))
    write(canvas, x + 28, y, "base, with its interval", size=SMALL)


def _sentence(curve: Trajectory) -> str:
    known = measure(curve.metric)
    values = ", ".join(
        f"{formatting.value(curve.metric, point.value)} at step {point.step}"
        for point in curve.points
    )
    base = ""
    if curve.base is not None:
        base = f"; base {formatting.value(curve.metric, curve.base)}"
    return (
        f"{short_label(curve.stage)}, {known.title} on validation problems by training step: "
        f"{values}{base} (n={curve.best.value.n}). Selected: step {curve.selected}."
    )
