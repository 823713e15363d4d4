"""Tables of figures: for a terminal, as Markdown to paste into a document, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

Format = Literal["table", "markdown", "json"]
FORMATS = get_args(Format)
# a figure that was not measured is a text that says so
Cell = str | int | float


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns; `notes` say how they were measured."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def table_of(title: str, rows: Sequence[dict[str, Cell]], notes: Sequence[str] = ()) -> Table:
    """Make a table of rows by column name; a row that lacks a column has an empty cell there."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    cells = tuple(tuple(row.get(name, "") for name in columns) for row in rows)
    return Table(title, columns, cells, tuple(notes))


def turned(table: Table) -> Table:
    """Make rows of columns, for a table of few rows and many columns."""
    cells = zip(*table.rows, strict=True)
    names, *rows = ([name, *row] for name, row in zip(table.columns, cells, strict=True))
    return replace(table, columns=tuple(map(str, names)), rows=tuple(map(tuple, rows)))


def show(tables: Sequence[Table], form: Format) -> None:
    """Print the tables in one of the formats."""
    if form == "json":
        print(json.dumps([asdict(table) for table in tables], indent=2), flush=True)
    elif form == "markdown":
        print("\n\n".join(markdown(table) for table in tables), flush=True)
    else:
        console = Console()
        for table in tables:
            console.print(_rich(table))


def markdown(table: Table) -> str:
    """Write a table as Markdown, with its title before it and its notes after."""
    lines = [
        f"**{table.title}**",
        "",
        _line(table.columns),
        _line(["---", *["---:"] * (len(table.columns) - 1)]),
        *(_line([written(cell) for cell in row]) for row in table.rows),
    ]
    if table.notes:
        lines += ["", " ".join(table.notes)]
    return "\n".join(lines)


def written(cell: Cell) -> str:
    """Write a cell: numbers with three digits that count."""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rich(table: Table) -> RichTable:
    drawn = RichTable(
        title=table.title, caption="\n".join(table.notes) or None, box=box.SIMPLE_HEAD
    )
    for number, name in enumerate(table.columns):
        drawn.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        drawn.add_row(*(written(cell) for cell in row))
    return drawn
