"""The whole report for a terminal, with Rich; its scoreboard alone is what a screen holds.

Model output is shown as text: no markup and no escape sequence in it acts.
"""

from collections.abc import Sequence

import rich.table
from rich.console import Group
from rich.padding import Padding

from stagelift.evals.printed import excerpt
from stagelift.reports.formats.columns import Columns, grid, print_columns
from stagelift.reports.formats.console import Console, Text
from stagelift.reports.formats.scoreboard import print_scoreboard
from stagelift.reports.report import Example, Report, StageFlips
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.gains import gain_notes, gain_table
from stagelift.reports.tables.stages import stage_table
from stagelift.reports.tables.study import study_sections
from stagelift.reports.tables.table import Cell, Row, Table
from stagelift.reports.tables.trajectory import trajectory_sections
from stagelift.reports.words.gained_and_lost import TITLE, gained_and_lost
from stagelift.reports.words.illness import TITLE as ILL
from stagelift.reports.words.illness import illnesses
from stagelift.reports.words.notes import footnotes
from stagelift.reports.words.provenance import provenance_lines
from stagelift.reports.words.summary import summary

# columns of what goes to a file or a pipe: seven columns of a whole chain side by side
WIDE = 160
_STYLES = {"improved": "bold green", "regressed": "bold red"}


def print_report(report: Report, console: Console) -> None:
    """Print the scoreboard, then the summary, every table, examples, and where it is all from.

    A table that is wider than the console is continued below itself.
    """
    print_scoreboard(report, console, None)
    console.print(Padding(Text(summary(report)), (1, 0)))
    _print_gained_and_lost(report, console)
    _print_illnesses(report, console)
    for section in (*between_sections(report), *study_sections(report)):
        _print_section(section.title, section.table, section.notes, console)
    _print_section("Every metric", stage_table(report), (), console)
    for section in trajectory_sections(report):
        _print_section(section.title, section.table, section.notes, console)
    gains = gain_table(report)
    if gains is not None:
        _print_section("Where accuracy came from", gains, (gain_notes(),), console)
    _print_notes(footnotes(report), console)
    for flips in report.flips():
        console.print(_flips(flips, report))
    console.print(Text("\nProvenance", style="bold"))
    console.print(_provenance(report))


def _print_gained_and_lost(report: Report, console: Console) -> None:
    lines = gained_and_lost(report)
    if not lines:
        return
    drawn = grid(3)
    for line in lines:
        drawn.add_row(
            Text(f"{line.stage} against {line.against}", style="bold"),
            Text("gained", style="green"),
            Text(line.gained),
        )
        drawn.add_row("", Text("lost", style="red"), Text(line.lost))
    console.print(Text(TITLE, style="bold"))
    console.print(Padding(drawn, (0, 0, 1, 0)))


def _print_illnesses(report: Report, console: Console) -> None:
    ill = illnesses(report)
    if not ill:
        return
    drawn = grid(2)
    for stage in ill:
        sentences = "\n".join(stage.sentences)
        drawn.add_row(Text(stage.stage, style="bold"), Text(sentences, style="yellow"))
    console.print(Text(ILL, style="bold"))
    console.print(Padding(drawn, (0, 0, 1, 0)))


def _provenance(report: Report) -> rich.table.Table:
    drawn = grid(2)
    for name, text in provenance_lines(report):
        drawn.add_row(Text(name, style="bold"), Text(text))
    return drawn


def _print_section(title: str, table: Table, notes: Sequence[str], console: Console) -> None:
    console.print(Text(title, style="bold"), end="\n\n")
    titles = (table.corner, *(column.title for column in table.columns))
    groups = [[_rendered(row) for row in group] for group in table.groups]
    # what a stage added stands beside the stage
    added = {place for place, column in enumerate(table.columns, 1) if column.kind == "added"}
    print_columns(Columns(titles, groups, beside_next=frozenset(added)), console)
    _print_notes(notes, console)
    if notes:
        console.print()


def _print_notes(notes: Sequence[str], console: Console) -> None:
    for note in notes:
        console.print(Text(note, style="dim"))


def _rendered(row: Row) -> list[Text]:
    # task and metric names come from files
    title = Text(row.title, style="bold")
    if row.indented:
        title = Text(f"  {row.title}")
    if row.note:
        title.append(f"\n{row.note}", style="not bold dim")
    return [title, *(_cell(cell) for cell in row.cells)]


def _cell(cell: Cell) -> Text:
    style, verdict_style = "", _STYLES.get(cell.verdict or "", "dim")
    if cell.faint:
        style = verdict_style = "dim"
    text = Text(cell.text, style=style)
    if cell.interval:
        text.append(f"\n{cell.interval}")
    if cell.verdict is not None:
        text.append(f"\n{cell.word}", style=verdict_style)
    for note in cell.notes:
        text.append(f"\n{note}", style="dim")
    return text


def _flips(flips: StageFlips, report: Report) -> Group:
    title = Text(f"\n{report.flips_title(flips)}", style="bold underline")
    fixed, broken = Text("fixed: ", style="green"), Text("broken: ", style="red")
    examples = [_example(fixed, example, flips) for example in flips.fixed_examples]
    examples += [_example(broken, example, flips) for example in flips.broken_examples]
    return Group(title, *examples)


def _example(name: Text, example: Example, flips: StageFlips) -> Padding:
    text = Text().append_text(name)
    text.append(f"{excerpt(example.question)} ")
    text.append(f"(target {excerpt(example.target)})\n", style="bold")
    text.append(f"{flips.previous}, {example.outcome_before}: ", style="bold")
    text.append(f"{excerpt(example.before)}\n")
    text.append(f"{flips.stage}, {example.outcome_after}: ", style="bold")
    text.append(excerpt(example.after))
    return Padding(text, (1, 0, 0, 2))
