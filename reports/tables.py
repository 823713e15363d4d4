"""A table as plain cells: what the terminal, Markdown and HTML all draw, each in its own way."""

from dataclasses import dataclass
from typing import Literal

from reports.compare import Decision

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """A number, its interval, a verdict where it is a difference, and notes in small print; no text from files or models.

    Without a text nothing belongs into the cell; NOTHING is what belongs there and was not measured.
    """

    text: str = ""
    interval: str = ""
    verdict: Decision | None = None
    word: str = ""  # the verdict as it is written: against a foreign reference nothing has "improved"
    notes: tuple[str, ...] = ()

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
    """One row of as many cells as the table has columns. `note` says how the metric was read; `indented`: of the row above."""

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
