"""A table as plain cells: what the terminal, Markdown and HTML all draw, each in its own way."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from stagelift.reports.numbers.verdicts import Decision

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """A number, its interval, a verdict where it is a difference, and notes in small print; no text
    from files or models.

    Without a text nothing belongs into the cell; NOTHING is what belongs there and was not
    measured. A `faint` difference is below the noise floor.
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
    """Fold a reading of the same metric into the one it equals in every cell: `numeric =
    flexible`.
    """
    merged: list[tuple[Row, ...]] = []
    for group in groups:
        twin = next((i for i, other in enumerate(merged) if _same(group, other)), None)
        if twin is None:
            merged.append(group)
        else:
            first = merged[twin][0]
            how, _, n = first.note.rpartition(", ")
            note = f"{how} = {group[0].note.rpartition(', ')[0]}, {n}"
            merged[twin] = (Row(first.title, first.cells, note, first.indented), *merged[twin][1:])
    return merged


def _same(group: tuple[Row, ...], other: tuple[Row, ...]) -> bool:
    def content(rows: tuple[Row, ...]) -> list[tuple[str, tuple[Cell, ...]]]:
        return [(row.title, row.cells) for row in rows]

    return content(group) == content(other)
