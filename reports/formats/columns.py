"""A table in a terminal: columns stand side by side as far as they fit, the others below them.

No word is cut, and no interval is broken, unless it alone is wider than the terminal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import rich.table
from rich import box
from rich.cells import cell_len

from stagelift.reports.formats.console import Console, Text, unbroken
from stagelift.reports.tables.table import NOTHING

# cells: what stands between two columns; how wide names and others are before all have room
_GAP, _NAME, _COMFORTABLE = 2, 22, 16


@dataclass(frozen=True)
class Columns:
    """Titles, and rows below them in groups; the first column names a row and stands in every part.

    `numbers`: all others are aligned right. Those `beside_next` are not the last of a part.
    """

    titles: Sequence[str]
    groups: Sequence[Sequence[Sequence[Text]]]
    numbers: bool = False
    beside_next: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Width:
    """What a column needs so that nothing is cut, and what it would take to have no line broken."""

    least: int
    natural: int


def print_columns(columns: Columns, console: Console) -> None:
    """Print as many tables as there have to be, each with an empty line below it."""
    widths = _widths(columns, console.width)
    for start, end in _parts(widths, columns.beside_next, console.width):
        shown = (0, *range(start, end))
        given = _given([widths[place] for place in shown], console.width)
        console.print(_drawn(columns, dict(zip(shown, given, strict=True))))
        console.print()


def grid(columns: int) -> rich.table.Table:
    """Return a table without lines and titles, to which rows are added; it cuts no word either."""
    drawn = rich.table.Table.grid(padding=(0, _GAP))
    for _ in range(columns):
        drawn.add_column(overflow="fold")
    return drawn


def _widths(columns: Columns, room: int) -> list[_Width]:
    rows = [row for group in columns.groups for row in group]
    found = [
        _width([Text(title), *(row[place] for row in rows)])
        for place, title in enumerate(columns.titles)
    ]
    # a name as long as the terminal is wide goes on in the next line
    name = min(found[0].natural, max(found[0].least, _NAME), room // 3)
    need = name + sum(_GAP + one.least for one in found[1:])
    is_tight = columns.numbers and need <= room
    others = [_within(room - name - _GAP, one, is_tight=is_tight) for one in found[1:]]
    return [_Width(name, found[0].natural), *others]


def _within(room: int, one: _Width, *, is_tight: bool) -> _Width:
    """Make a column comfortable, unless numbers fit side by side as narrow as they can be."""
    least = one.least if is_tight else max(one.least, min(one.natural, _COMFORTABLE))
    most = max(1, room)
    return _Width(min(most, least), min(most, one.natural))


def _width(cells: Sequence[Text]) -> _Width:
    lines = [line for cell in cells for line in unbroken(cell.plain).split("\n")]
    words = [cell_len(word) for line in lines for word in line.split()]
    return _Width(max(words, default=1), max(map(cell_len, lines), default=1))


def _parts(
    widths: Sequence[_Width], beside_next: frozenset[int], room: int
) -> Iterator[tuple[int, int]]:
    """Yield from where to where columns stand side by side, the first one apart."""
    start = 1
    while start < len(widths):
        end, used = start + 1, widths[0].least + _GAP + widths[start].least
        while end < len(widths) and used + _GAP + widths[end].least <= room:
            used += _GAP + widths[end].least
            end += 1
        if end < len(widths) and end - 1 in beside_next and end - 1 > start:
            end -= 1
        yield start, end
        start = end


def _given(widths: Sequence[_Width], room: int) -> list[int]:
    """Share out what is left of the terminal's width among columns that would take more, names
    last.
    """
    given = [width.least for width in widths]
    for _ in range(room - sum(given) - _GAP * (len(given) - 1)):
        wanting = [place for place, one in enumerate(widths) if given[place] < one.natural]
        if wanting:
            # the narrowest of the others
            given[min(wanting, key=lambda place: (place == 0, given[place]))] += 1
    return given


def _drawn(columns: Columns, widths: dict[int, int]) -> rich.table.Table:
    """Draw some of the columns, without the rows that have all they have in others."""
    drawn = rich.table.Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
    )
    for place, width in widths.items():
        right = columns.numbers and place > 0
        drawn.add_column(
            Text(columns.titles[place]),
            width=width,
            overflow="fold",
            justify="right" if right else "left",
        )
    for group in columns.groups:
        for row in group:
            cells = [row[place] for place in widths]
            if _says(cells[1:]) or not _says(row[1:]):
                drawn.add_row(*cells)
        drawn.add_section()
    return drawn


def _says(cells: Sequence[Text]) -> bool:
    return any(cell.plain not in ("", NOTHING) for cell in cells)
