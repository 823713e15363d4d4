"""The report for a terminal, with Rich. Model output is shown as text: no markup and no escape sequence in it acts."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.formatting import excerpt, safe_text
from reports.report import Example, Report, StageFlips
from reports.rows import Cell, Row, cost_rows, footnotes, header_lines, metric_rows

_STYLES = {"improved": "bold green", "regressed": "bold red", "identical": "dim"}


def print_report(report: Report, console: Console) -> None:
    """Print header, stage table and examples."""
    console.print(_header(report))
    console.print(_table(report))
    for note in footnotes(report):
        console.print(Text(safe_text(note), style="dim"))
    for flips in report.flips:
        console.print(_flips(flips, report))


def _header(report: Report) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, text in header_lines(report):
        grid.add_row(Text(name, style="bold"), Text(safe_text(text)))
    return grid


def _table(report: Report) -> Table:
    table = Table(show_lines=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for stage in report.stages():
        table.add_column(Text(safe_text(report.column(stage))), ratio=1, min_width=20)
    for group in metric_rows(report):
        for row in group:
            table.add_row(*_rendered(row))
        table.add_section()
    for row in cost_rows(report):
        table.add_row(*_rendered(row))
    return table


def _rendered(row: Row) -> list[RenderableType]:
    shown = safe_text(row.title)  # task and metric names come from files
    title = Text(f"  {shown}") if row.indented else Text(shown, style="bold")
    if row.note:
        title.append(f"\n{safe_text(row.note)}", style="not bold dim")
    return [title, *(_cell(cell) for cell in row.cells)]


def _cell(cell: Cell) -> Text:
    if not cell.note:
        return Text(cell.text)
    first, newline, rest = cell.note.partition("\n")
    return Text(f"{cell.text}\n").append(first, style=_STYLES.get(first, "dim")).append(newline + rest, style="dim")


def _flips(flips: StageFlips, report: Report) -> Group:
    parts: list[RenderableType] = [Text(f"\n{safe_text(report.flips_title(flips))}", style="bold underline")]
    for name, examples in (("fixed", flips.fixed_examples), ("broken", flips.broken_examples)):
        for example in examples:
            parts.append(_example(name, example, flips))
    return Group(*parts)


def _example(name: str, example: Example, flips: StageFlips) -> Padding:
    text = Text().append(f"{name}: ", style="green" if name == "fixed" else "red")
    text.append(f"{excerpt(example.question)} ").append(f"(target {excerpt(example.target)})\n", style="bold")
    text.append(f"{safe_text(flips.previous)}, {example.outcome_before}: ", style="bold").append(
        f"{excerpt(example.before)}\n"
    )
    text.append(f"{safe_text(flips.stage)}, {example.outcome_after}: ", style="bold").append(excerpt(example.after))
    return Padding(text, (1, 0, 0, 2))
