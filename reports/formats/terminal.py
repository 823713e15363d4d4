"""The report for a terminal, with Rich.

Model output is shown as text: no markup and no escape sequence in it acts.
"""

from collections.abc import Iterator, Sequence

import rich.table
from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from stagelift.reports.report import Example, Report, StageFlips
from stagelift.reports.tables.gains import gain_notes, gain_table
from stagelift.reports.tables.stages import stage_table
from stagelift.reports.tables.study import study_sections
from stagelift.reports.tables.table import Cell, Column, Row, Table
from stagelift.reports.words.formatting import excerpt, safe_text
from stagelift.reports.words.notes import footnotes
from stagelift.reports.words.provenance import provenance_lines
from stagelift.reports.words.summary import summary

_STYLES = {"improved": "bold green", "regressed": "bold red"}
# columns of a terminal that a title and a cell need, with their borders
_TITLES, _CELL = 25, 18


def print_report(report: Report, console: Console) -> None:
    """Print provenance, summary, tables and examples; a table wider than the console is continued
    below itself.
    """
    console.print(_provenance(report))
    console.print(Padding(Text(safe_text(summary(report))), (1, 0)))
    for section in study_sections(report):
        console.print(Text(safe_text(section.title), style="bold"))
        console.print(*_drawn(section.table, console.width), sep="\n")
        for note in section.notes:
            console.print(Text(safe_text(note), style="dim"))
    console.print(*_drawn(stage_table(report), console.width), sep="\n")
    if (gains := gain_table(report)) is not None:
        console.print(Text("Where accuracy came from", style="bold"))
        console.print(*_drawn(gains, console.width), sep="\n")
        console.print(Text(gain_notes(), style="dim"))
    for note in footnotes(report):
        console.print(Text(safe_text(note), style="dim"))
    for flips in report.flips():
        console.print(_flips(flips, report))


def _provenance(report: Report) -> rich.table.Table:
    grid = rich.table.Table.grid(padding=(0, 2))
    for name, text in provenance_lines(report):
        grid.add_row(Text(name, style="bold"), Text(safe_text(text)))
    return grid


def _drawn(table: Table, width: int) -> list[RenderableType]:
    return [_draw(part) for part in _parts(table, max(1, (width - _TITLES) // _CELL))]


def _parts(table: Table, size: int) -> Iterator[Table]:
    """Split a table by columns; what a stage added stays beside the stage."""
    for start, end in _spans(table.columns, size):
        groups = tuple(
            tuple(Row(row.title, row.cells[start:end], row.note, row.indented) for row in group)
            for group in table.groups
        )
        yield Table(table.corner, table.columns[start:end], tuple(map(_without_empty, groups)))


def _spans(columns: Sequence[Column], size: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(columns):
        end = min(start + size, len(columns))
        if end < len(columns) and end - start > 1 and columns[end - 1].kind == "added":
            end -= 1
        yield start, end
        start = end


def _without_empty(group: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(row for row in group if not all(cell.is_empty for cell in row.cells))


def _draw(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    drawn.add_column(table.corner, no_wrap=False, min_width=20)
    for column in table.columns:
        drawn.add_column(Text(safe_text(column.title)), min_width=15)
    for group in table.groups:
        for row in group:
            drawn.add_row(*_rendered(row))
        if group:
            drawn.add_section()
    return drawn


def _rendered(row: Row) -> list[RenderableType]:
    # task and metric names come from files
    shown = safe_text(row.title)
    title = Text(f"  {shown}") if row.indented else Text(shown, style="bold")
    if row.note:
        title.append(f"\n{safe_text(row.note)}", style="not bold dim")
    return [title, *(_cell(cell) for cell in row.cells)]


def _cell(cell: Cell) -> Text:
    text = Text(cell.text, style="dim" if cell.faint else "")
    if cell.interval:
        text.append(f"\n{cell.interval}")
    if cell.verdict is not None:
        text.append(
            f"\n{cell.word}", style="dim" if cell.faint else _STYLES.get(cell.verdict, "dim")
        )
    for note in cell.notes:
        text.append(f"\n{note}", style="dim")
    return text


def _flips(flips: StageFlips, report: Report) -> Group:
    parts: list[RenderableType] = [
        Text(f"\n{safe_text(report.flips_title(flips))}", style="bold underline")
    ]
    for name, examples in (("fixed", flips.fixed_examples), ("broken", flips.broken_examples)):
        for example in examples:
            parts.append(_example(name, example, flips))
    return Group(*parts)


def _example(name: str, example: Example, flips: StageFlips) -> Padding:
    text = Text().append(f"{name}: ", style="green" if name == "fixed" else "red")
    text.append(f"{excerpt(example.question)} ").append(
        f"(target {excerpt(example.target)})\n", style="bold"
    )
    text.append(f"{safe_text(flips.previous)}, {example.outcome_before}: ", style="bold").append(
        f"{excerpt(example.before)}\n"
    )
    text.append(f"{safe_text(flips.stage)}, {example.outcome_after}: ", style="bold").append(
        excerpt(example.after)
    )
    return Padding(text, (1, 0, 0, 2))
