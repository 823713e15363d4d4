"""A table as plain cells: what the terminal, Markdown and HTML all draw, each in its own way."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from stagelift.reports.numbers.verdicts import Decision

NOTHING = "–"
BELOW_NOISE = "below the noise floor"


@dataclass(frozen=True)
class Cell:
    """A number, its interval, a verdict where it is a difference, and notes in small print.

    It holds no text from files or models. Without a text nothing belongs into the cell; NOTHING is
    what belongs there and was not measured. A `faint` difference is below the noise floor.
    """

    text: str = ""
    interval: str = ""
    verdict: Decision | None = None
    # the verdict as it is written: against a foreign reference nothing has "improved"
    word: str = ""
    notes: tuple[str, ...] = ()
    faint: bool = False

    @property
    def is_empty(self) -> bool:
        return self in (Cell(), Cell(NOTHING))


# of what base has in preference accuracy, in which it is set against itself
HALF = Cell("50%", notes=("by construction",))


@dataclass(frozen=True)
class Column:
    """What a column holds: a stage's own values, or what a stage `added`; `title` names it."""

    title: str
    kind: Literal["stage", "added", "plain"] = "plain"


@dataclass(frozen=True)
class Row:
    """One row of as many cells as the table has columns.

    `note` says how the metric was read; `indented`: of the row above.
    """

    title: str
    cells: tuple[Cell, ...]
    note: str = ""
    indented: bool = False


@dataclass(frozen=True)
class Table:
    """Columns, and rows in groups that belong together; `corner` heads the column of titles."""

    corner: str
    columns: tuple[Column, ...]
    groups: tuple[tuple[Row, ...], ...]


def merged(groups: Iterable[tuple[Row, ...]]) -> list[tuple[Row, ...]]:
    """Fold readings of a metric that agree in every cell into one: `numeric = flexible`."""
    by_content: dict[tuple[tuple[str, tuple[Cell, ...]], ...], tuple[Row, ...]] = {}
    for group in groups:
        content = tuple((row.title, row.cells) for row in group)
        if content in by_content:
            group = _with_reading(by_content[content], group)
        by_content[content] = group
    return list(by_content.values())


def _with_reading(group: tuple[Row, ...], twin: tuple[Row, ...]) -> tuple[Row, ...]:
    """Name the reading of a twin beside a group's own; a note is a reading and the n."""
    first, *more = group
    reading, _, n = first.note.rpartition(", ")
    twin_reading, _, _ = twin[0].note.rpartition(", ")
    return replace(first, note=f"{reading} = {twin_reading}, {n}"), *more
