"""Small multiples: metrics side by side, a line for each model, and below them what was added.

Every point has its numbers beside it. It is drawn wide, with one column of names for all metrics,
or narrow for a telephone, with the metrics one below the other.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stagelift.reports.plots.canvas import (
    Canvas,
    add_panel,
    draw_interval,
    new_canvas,
    series,
    text_width,
    write,
)
from stagelift.reports.plots.labels import distinct_labels
from stagelift.reports.plots.style import BAD, GOOD, INK, MUTED, PAPER, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
WIDE, NARROW = 900.0, 360.0
LINE, TITLE, TICKS, GAP, BETWEEN, KEY = 18.0, 20.0, 24.0, 8.0, 28.0, 16.0
# letters of a name
LETTERS_WIDE, LETTERS_NARROW = 22, 12

Look = Literal["value", "better", "worse", "moved", "plain", "open"]
# a verdict's colour and its mark: never the colour alone
LOOKS: dict[Look, tuple[str, str]] = {
    "better": (GOOD, "^"),
    "worse": (BAD, "v"),
    "moved": (INK, "D"),
    "plain": (INK, "o"),
    "open": (MUTED, "o"),
}
KEYS: dict[Look, str] = {
    "better": "improved",
    "worse": "regressed",
    "moved": "longer or shorter",
    "plain": "no verdict",
    "open": "no difference shown",
}


@dataclass(frozen=True)
class Point:
    """A value, its interval where there is one, and how both are written.

    `look` says what it is: a model's own `value` in the colour of its `run`, or a verdict. What was
    not measured has no value and is written only.
    """

    value: float | None
    low: float | None
    high: float | None
    text: str
    look: Look = "value"
    run: int = 0


@dataclass(frozen=True)
class Block:
    """Points above one axis, by the names of their lines; `note` stands beside the title.

    The axis reaches over the `span`, or from nought over all there is; `center` has an upright
    line.
    """

    title: str
    note: str
    points: Mapping[str, Point]
    span: tuple[float, float] | None = None
    center: float | None = None
    is_share: bool = False
    is_change: bool = False


@dataclass(frozen=True)
class Facet:
    """One metric: its values, what was added to it, and what is to be said of it."""

    values: Block
    added: Block | None
    note: str


@dataclass(frozen=True)
class Board:
    """The names of the models and of what was added, and a facet for each metric."""

    names: tuple[str, ...]
    changes: tuple[str, ...]
    facets: tuple[Facet, ...]


@dataclass(frozen=True)
class _Place:
    """Where a block stands, in pixels."""

    start: float
    end: float
    top: float

    def middle(self, line: int) -> float:
        """Return the middle of a line below the title."""
        return self.top + TITLE + LINE * (line + 0.5)


def draw_wide(board: Board) -> Canvas:
    """Draw the metrics side by side."""
    names = _short(board, LETTERS_WIDE)
    left = max(map(text_width, names.values())) + 14
    across = (WIDE - left - BETWEEN * (len(board.facets) - 1)) / len(board.facets)
    below = _height(board.names) + GAP
    height = below + _height(board.changes)
    canvas = new_canvas(height + KEY, WIDE)
    for column, facet in enumerate(board.facets):
        start = left + (across + BETWEEN) * column
        upper, lower = _Place(start, start + across, 0), _Place(start, start + across, below)
        _draw_block(canvas, facet.values, board.names, upper)
        if facet.added is not None:
            _draw_block(canvas, facet.added, board.changes, lower)
        _write_note(canvas, facet, lower.top + (0 if facet.added is None else -GAP), lower)
    for lines, top in ((board.names, 0.0), (board.changes, below)):
        _write_names(canvas, lines, names, _Place(0, left - 12, top))
    _draw_key(canvas, board, left, height + KEY / 2)
    return canvas


def draw_narrow(board: Board) -> Canvas:
    """Draw the metrics one below the other, each line with its name again."""
    names = _short(board, LETTERS_NARROW)
    left = max(map(text_width, names.values())) + 12
    heights = [_facet_height(board, facet) for facet in board.facets]
    canvas = new_canvas(sum(heights) + 2 * KEY, NARROW)
    top = 0.0
    for facet, height in zip(board.facets, heights, strict=True):
        _draw_facet(canvas, board, facet, names, _Place(left, NARROW, top))
        top += height
    _draw_key(canvas, board, 0, sum(heights) + KEY / 2)
    return canvas


def _facet_height(board: Board, facet: Facet) -> float:
    lines = board.changes if facet.added is not None else ()
    note = KEY if facet.note else 0
    return _height(board.names) + note + _height(lines) + GAP


def _draw_facet(
    canvas: Canvas, board: Board, facet: Facet, names: Mapping[str, str], place: _Place
) -> None:
    _draw_block(canvas, facet.values, board.names, place)
    _write_names(canvas, board.names, names, _Place(0, place.start - 10, place.top))
    below = place.top + _height(board.names)
    if facet.note:
        write(canvas, 0, below + KEY / 2 - 2, facet.note, size=SMALL, color=MUTED)
        below += KEY
    if facet.added is not None:
        _draw_block(canvas, facet.added, board.changes, _Place(place.start, place.end, below))
        _write_names(canvas, board.changes, names, _Place(0, place.start - 10, below))


def _height(lines: Sequence[str]) -> float:
    return TITLE + LINE * len(lines) + TICKS if lines else 0.0


def _short(board: Board, letters: int) -> dict[str, str]:
    """Shorten the names, so that no two look alike."""
    names = list(dict.fromkeys([*board.names, *board.changes]))
    return dict(zip(names, distinct_labels(names, letters), strict=True))


def _write_names(
    canvas: Canvas, lines: Sequence[str], names: Mapping[str, str], place: _Place
) -> None:
    for line, name in enumerate(lines):
        write(canvas, place.end, place.middle(line), names[name], align="right")


def _write_note(canvas: Canvas, facet: Facet, top: float, place: _Place) -> None:
    """Write what is to be said of a metric in the room below its values."""
    if facet.added is not None:
        return
    for line, text in enumerate(textwrap.wrap(facet.note, 30)):
        y = top + TITLE / 2 + KEY * line
        write(canvas, place.start, y, text, size=SMALL, color=MUTED)


def _draw_block(canvas: Canvas, block: Block, lines: Sequence[str], place: _Place) -> None:
    """Draw a block's title, its points and their numbers."""
    _write_title(canvas, block, place)
    right = place.end - max(text_width(point.text, SMALL) for point in block.points.values())
    first, last = place.top + TITLE, place.top + TITLE + LINE * len(lines)
    # long numbers leave no room: then they stand on the panel
    width = max(20, right - 10 - place.start)
    panel = add_panel(canvas, place.start, first, width, last - first)
    panel.set(ylim=(last, first), yticks=[])
    _scale(panel, block)
    for line, name in enumerate(lines):
        point = block.points.get(name)
        if point is not None:
            color, _ = LOOKS.get(point.look, (MUTED if point.value is None else INK, ""))
            write(canvas, right, place.middle(line), point.text, size=SMALL, color=color)
            _draw_point(panel, point, place.middle(line))


def _write_title(canvas: Canvas, block: Block, place: _Place) -> None:
    """Write the title, and its note where there is room."""
    y = place.top + TITLE / 2
    if block.is_change:
        write(canvas, place.start, y, block.title, size=SMALL, color=MUTED)
        return
    write(canvas, place.start, y, block.title, bold=True)
    start = place.start + text_width(block.title, bold=True) + 8
    if start + text_width(block.note, SMALL) < place.end + BETWEEN / 2:
        write(canvas, start, y, block.note, size=SMALL, color=MUTED)


def _scale(panel: "Axes", block: Block) -> None:
    points = block.points.values()
    ends = [end for one in points for end in (one.value, one.low, one.high) if end is not None]
    low, high = block.span or (min(0.0, *ends, 0.0), max(0.0, *ends, 0.0))
    spare = 0.04 * (high - low or 1.0)
    panel.set_xlim(low - spare, high + spare)
    panel.locator_params(axis="x", nbins=3)
    panel.xaxis.set_major_formatter(lambda x, _: _tick(x, block))
    if block.center is not None:
        panel.axvline(block.center, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))


def _tick(x: float, block: Block) -> str:
    number = round(100 * x if block.is_share else x, 6) + 0.0
    if block.is_change:
        return f"{number:+.4g}" if number else "0"
    return f"{number:.4g}%" if block.is_share else f"{number:.4g}"


def _draw_point(panel: "Axes", point: Point, y: float) -> None:
    if point.value is None:
        return
    color, marker = LOOKS.get(point.look, series(point.run))
    if point.low is not None and point.high is not None:
        draw_interval(panel, y, point.low, point.high, color)
    panel.plot(
        [point.value],
        [y],
        marker=marker,
        markersize=6.5,
        color=color,
        markerfacecolor=PAPER if point.look == "open" else color,
        markeredgewidth=1.4,
        clip_on=False,
    )


def _draw_key(canvas: Canvas, board: Board, x: float, y: float) -> None:
    """Name the marks that are there; what does not fit goes to the next line."""
    title = "95% intervals"
    write(canvas, x, y, title, size=SMALL, color=MUTED)
    start, x = x, x + text_width(title, SMALL) + 14
    for look in _looks(board):
        wide = 14 + text_width(KEYS[look], SMALL)
        if x + wide > canvas.width:
            x, y = start, y + KEY
        color, marker = LOOKS[look]
        face = PAPER if look == "open" else color
        canvas.sheet.plot(
            [x + 5], [y], color=color, marker=marker, markersize=6.0, markerfacecolor=face
        )
        write(canvas, x + 14, y, KEYS[look], size=SMALL, color=MUTED)
        x += wide + 12


def _looks(board: Board) -> list[Look]:
    blocks = [facet.values for facet in board.facets]
    blocks += [facet.added for facet in board.facets if facet.added is not None]
    there = {one.look for block in blocks for one in block.points.values() if one.value is not None}
    return [look for look in KEYS if look in there]
