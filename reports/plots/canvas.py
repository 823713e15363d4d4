"""A figure that is laid out in pixels from its top left corner, as the page it goes into is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from stagelift.reports.plots.labels import columns
from stagelift.reports.plots.style import (
    GRID,
    INK,
    MARKERS,
    MUTED,
    PAPER,
    SERIES,
    SMALL,
    TEXT,
    WIDTH,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENT = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Canvas:
    """A figure and the sheet behind its panels, on which a unit is a pixel and y points down."""

    figure: "Figure"
    sheet: "Axes"
    height: float
    width: float


def new_canvas(height: float, width: float = WIDTH) -> Canvas:
    """Make an empty figure, of the width that all plots have where it is not given."""
    from matplotlib.figure import Figure

    # the SVG backend draws 72 to the inch
    figure = Figure(figsize=(width / 72, height / 72))
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, width), ylim=(height, 0))
    sheet.set_axis_off()
    return Canvas(figure, sheet, height, width)


def add_panel(canvas: Canvas, left: float, top: float, width: float, height: float) -> "Axes":
    """Add axes at a place of the sheet, with grid lines for x only and a line to stand on."""
    across, down = canvas.width, canvas.height
    box = (left / across, 1 - (top + height) / down, width / across, height / down)
    panel = canvas.figure.add_axes(box)
    panel.set_facecolor("none")
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color(MUTED)
    panel.tick_params(colors=MUTED, labelcolor=MUTED, labelsize=SMALL, length=3, width=0.8)
    panel.tick_params(axis="y", length=0)
    panel.set_axisbelow(True)
    panel.grid(color=GRID, linewidth=0.8)
    return panel


def percent_axis(axis: "Axes", which: Literal["x", "y"], ticks: Sequence[float] = PERCENT) -> None:
    """Label an axis of shares from 0% to 100%, with room for a marker at both ends."""
    labels = [f"{100 * tick:.0f}%" for tick in ticks]
    if which == "x":
        axis.set_xlim(-0.02, 1.02)
        axis.set_xticks(ticks, labels)
    else:
        axis.set_ylim(-0.04, 1.04)
        axis.set_yticks(ticks, labels)


def write(
    canvas: Canvas,
    x: float,
    y: float,
    text: str,
    *,
    align: Literal["left", "center", "right"] = "left",
    color: str = INK,
    size: float = TEXT,
    bold: bool = False,
) -> None:
    """Write a line of text with the middle of its small letters at y."""
    # a baseline of our own: matplotlib would centre "dpo" higher than "sft"
    canvas.sheet.text(
        x,
        y + 0.34 * size,
        text,
        ha=align,
        va="baseline",
        color=color,
        size=size,
        weight=_weight(bold=bold),
    )


def _weight(*, bold: bool) -> str:
    return "bold" if bold else "normal"


def legend(canvas: Canvas, x: float, y: float, names: Sequence[str]) -> None:
    """Name the series in a row, each behind its marker."""
    for position, name in enumerate(names):
        color, marker = series(position)
        canvas.sheet.plot([x + 5], [y], color=color, marker=marker, markersize=6.5, clip_on=False)
        write(canvas, x + 15, y, name, size=SMALL, color=INK)
        x += 15 + text_width(name, SMALL) + 18


def series(position: int) -> tuple[str, str]:
    """Return the colour and the marker of a series: never the colour alone."""
    return SERIES[position % len(SERIES)], MARKERS[position % len(MARKERS)]


def draw_interval(panel: "Axes", y: float, low: float, high: float, color: str) -> None:
    """Draw an interval as a line."""
    panel.plot(
        [low, high],
        [y, y],
        color=color,
        linewidth=1.8,
        solid_capstyle="butt",
        clip_on=False,
    )


def draw_marker(panel: "Axes", x: float, y: float, position: int, *, hollow: bool = False) -> None:
    """Draw a value as its series' marker; a hollow one is not to be relied on."""
    color, marker = series(position)
    face = PAPER if hollow else color
    panel.plot(
        [x],
        [y],
        marker=marker,
        markersize=7,
        color=color,
        markerfacecolor=face,
        markeredgewidth=1.5,
        clip_on=False,
    )


@cache
def text_width(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Say how wide a text is, in pixels, with a little to spare.

    It is measured in a font that is wider than most pages' are.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=_weight(bold=bold))
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    # what the font has no glyph for is narrow in it
    least = 0.55 * size * columns(text)
    return 1.03 * max(float(width), least)
