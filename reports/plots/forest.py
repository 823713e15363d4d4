"""Estimates with their intervals line by line, the numbers beside them: a forest plot of shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stagelift.evals.records import Metric
from stagelift.reports.plots.canvas import (
    Canvas,
    add_panel,
    draw_interval,
    draw_marker,
    legend,
    new_canvas,
    percent_axis,
    series,
    text_width,
    write,
)
from stagelift.reports.plots.style import MUTED, SMALL, WIDTH
from stagelift.reports.words.formatting import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
LINE, GAP, HEADER, SPACE = 17.0, 9.0, 26.0, 8.0
TOP, BOTTOM = 30.0, 44.0
TICKS = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True)
class Estimate:
    """A share and which series it is of; `note` says why a hollow one is not to be relied on."""

    metric: Metric
    series: int
    note: str = ""


@dataclass(frozen=True)
class Row:
    """The estimates of one stage, a line each."""

    label: str
    estimates: list[Estimate]


@dataclass(frozen=True)
class Block:
    """Rows that stand together, below their header where they have one."""

    header: str
    rows: list[Row]

    @property
    def header_height(self) -> float:
        """How much the header takes, in pixels."""
        if not self.header:
            return 0.0
        return HEADER

    @property
    def height(self) -> float:
        """How much the block takes, in pixels."""
        return self.header_height + sum(map(_height, self.rows))


def draw_forest(
    blocks: Sequence[Block], names: Sequence[str], axis: str, center: float | None = None
) -> Canvas:
    """Draw shares above one axis, with a line at `center` where there is one.

    `names` are of the series.
    """
    rows = [row for block in blocks for row in block.rows]
    canvas = new_canvas(TOP + sum(block.height + SPACE for block in blocks) - SPACE + BOTTOM)
    left = max(text_width(row.label) for row in rows) + 18
    numbers = [_numbers(estimate) for row in rows for estimate in row.estimates]
    right = WIDTH - max(text_width(text, SMALL) for text in numbers)
    legend(canvas, left, 12, names)
    top = TOP
    for block in blocks:
        panel = _add_panel(canvas, block, (left, right - 14), top, is_last=block is blocks[-1])
        if center is not None:
            panel.axvline(center, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
        write(canvas, 0, top + HEADER / 2 + 2, block.header, bold=True)
        y = top + block.header_height
        for row in block.rows:
            _draw_row(canvas, panel, row, y, left - 10, right)
            y += _height(row)
        top += block.height + SPACE
    write(canvas, WIDTH / 2, canvas.height - 9, axis, align="center", color=MUTED, size=SMALL)
    return canvas


def _add_panel(
    canvas: Canvas, block: Block, sides: tuple[float, float], top: float, *, is_last: bool
) -> "Axes":
    """Add a block's axes, on which y is the sheet's; only the last one has its axis labelled."""
    first, last = top + block.header_height, top + block.height
    panel = add_panel(canvas, sides[0], first, sides[1] - sides[0], last - first)
    percent_axis(panel, "x", TICKS)
    panel.set(ylim=(last, first), yticks=[])
    if not is_last:
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(axis="x", length=0, labelbottom=False)
    return panel


def _draw_row(
    canvas: Canvas, panel: "Axes", row: Row, top: float, left: float, right: float
) -> None:
    write(canvas, left, top + _height(row) / 2, row.label, align="right")
    for position, estimate in enumerate(row.estimates):
        y = top + GAP / 2 + LINE * (position + 0.5)
        metric = estimate.metric
        color, _ = series(estimate.series)
        draw_interval(panel, y, metric.low, metric.high, color)
        draw_marker(panel, metric.value, y, estimate.series, hollow=bool(estimate.note))
        write(canvas, right, y, _numbers(estimate), size=SMALL, color=MUTED)


def _height(row: Row) -> float:
    return LINE * len(row.estimates) + GAP


def _numbers(estimate: Estimate) -> str:
    return f"{share(estimate.metric)} {estimate.note}".rstrip()
