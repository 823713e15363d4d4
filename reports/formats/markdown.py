"""The report as Markdown that GitHub renders.

Model output stands in fenced blocks that it cannot close.
"""

from collections.abc import Sequence
from urllib.parse import quote

from stagelift.evals.printed import excerpt
from stagelift.reports.plots.scoreboard import TITLE as SCOREBOARD
from stagelift.reports.report import Example, Report, StageFlips
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.gains import gain_notes, gain_table
from stagelift.reports.tables.models import model_table
from stagelift.reports.tables.stages import stage_table
from stagelift.reports.tables.study import Section, study_sections
from stagelift.reports.tables.table import Cell, Row, Table
from stagelift.reports.tables.trajectory import trajectory_sections
from stagelift.reports.words.counting import listed
from stagelift.reports.words.escaping import fenced, folded, inline, paragraph, table_line
from stagelift.reports.words.gained_and_lost import TITLE, gained_and_lost
from stagelift.reports.words.illness import TITLE as ILL
from stagelift.reports.words.illness import illnesses
from stagelift.reports.words.notes import brief_notes, footnotes
from stagelift.reports.words.provenance import brief_provenance, provenance_lines
from stagelift.reports.words.scoreboard import scoreboard
from stagelift.reports.words.stage_lines import StageLine, basis, stage_lines
from stagelift.reports.words.summary import summary

_BOLD = ("improved", "regressed")


def render_markdown(report: Report, picture: str | None = None) -> str:
    """Return the whole report, ending in a newline, in the order of the page: the answer first, all
    else folded away.

    `picture` is the name of the scoreboard's picture beside the file.
    """
    shown = [] if picture is None else [_picture(picture, report)]
    parts = [*_answer(report), *shown, *_ill(report), _table(model_table(report))]
    parts += _folds(report)
    return "\n\n".join(parts) + "\n"


def render_markdown_summary(report: Report) -> str:
    """Return what fits a pull request's comment: the answer, the headline metrics, and what was
    measured how.
    """
    parts = [*_answer(report), *_ill(report), _table(model_table(report))]
    parts += [folded("In words", _in_words(report)), *_of_several(report)]
    parts += [paragraph(brief_notes(report)), _provenance(brief_provenance(report))]
    return "\n\n".join(parts) + "\n"


def _answer(report: Report) -> list[str]:
    """Write the title, a line a stage, and what they rest on."""
    lines = "\n".join(map(_line, stage_lines(report)))
    return [part for part in (_title(report), lines, paragraph(basis(report))) if part]


def _title(report: Report) -> str:
    return f"# What each stage added: {inline(', '.join(run.name for run in report.runs))}"


def _line(line: StageLine) -> str:
    against = f" against {inline(line.against)}" if line.against else ""
    return f"- **{inline(line.subject)}**{against}: {inline(line.words.replace(' -> ', ' → '))}"


def _picture(name: str, report: Report) -> str:
    """Say what the picture shows: its numbers stand in the table below it."""
    titles = [panel.title for panel in scoreboard(report).panels]
    alt = f"{SCOREBOARD}: {listed(titles)} of each model, with 95% intervals, and what was added"
    return f"![{inline(alt)}]({quote(name, errors='surrogateescape')})"


def _folds(report: Report) -> list[str]:
    """Fold away what the answer is made of, with where it is all from last."""
    study = any(run.record.chains for run in report.runs)
    stages = f"{'Model by model' if study else 'Stage by stage'}: every metric"
    folds = [
        folded("In words", _in_words(report)),
        *_of_several(report),
        folded(stages, _table(stage_table(report))),
    ]
    if checkpoints := trajectory_sections(report):
        folds.append(folded("Checkpoints", _sections(checkpoints)))
    if (gains := gain_table(report)) is not None:
        came_from = f"{paragraph(gain_notes())}\n\n{_table(gains)}"
        folds.append(folded("Where accuracy came from", came_from))
    if report.flips():
        changes = "\n\n".join(_flips(flips, report) for flips in report.flips())
        folds.append(folded("What changed, problem by problem", changes))
    notes = "\n".join(f"- {paragraph(note)}" for note in footnotes(report))
    folds.append(folded("How to read this", notes))
    return [*folds, folded("Provenance", _provenance(provenance_lines(report)))]


def _in_words(report: Report) -> str:
    return "\n\n".join([paragraph(summary(report)), *_gained_and_lost(report)])


def _of_several(report: Report) -> list[str]:
    """Fold away what several runs or a study ask."""
    found = {
        "Runs against one another": between_sections(report),
        "Study": study_sections(report),
    }
    return [folded(title, _sections(sections)) for title, sections in found.items() if sections]


def _gained_and_lost(report: Report) -> list[str]:
    lines = [
        f"- **{inline(line.stage)}** against {inline(line.against)}<br>gained: "
        f"{inline(line.gained)}<br>lost: {inline(line.lost)}"
        for line in gained_and_lost(report)
    ]
    return [f"**{TITLE}**", "\n".join(lines)] if lines else []


def _ill(report: Report) -> list[str]:
    lines = [
        f"- **{inline(stage.stage)}**<br>{'<br>'.join(map(inline, stage.sentences))}"
        for stage in illnesses(report)
    ]
    return [f"**{ILL}**", "\n".join(lines)] if lines else []


def _sections(sections: Sequence[Section]) -> str:
    parts = []
    for section in sections:
        parts += [f"### {inline(section.title)}", _table(section.table)]
        parts += map(paragraph, section.notes)
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    titles = [inline(table.corner), *(inline(column.title) for column in table.columns)]
    lines = [table_line(titles), table_line([":---"] * len(titles))]
    lines += [_row(row) for group in table.groups for row in group]
    return "\n".join(lines)


def _row(row: Row) -> str:
    title = f"**{inline(row.title)}**"
    if row.indented:
        title = f"&emsp;{inline(row.title)}"
    if row.note:
        title += f"<br>{inline(row.note)}"
    return table_line([title, *(_cell(cell) for cell in row.cells)])


def _cell(cell: Cell) -> str:
    """Write numbers and words of ours, in which nothing is to be escaped."""
    lines = [f"{cell.text} {cell.interval}".rstrip()]
    if cell.verdict in _BOLD and not cell.faint:
        lines.append(f"**{cell.word}**")
    elif cell.verdict is not None:
        lines.append(cell.word)
    return "<br>".join([*lines, *cell.notes])


def _provenance(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- **{name}**: {inline(text)}" for name, text in lines)


def _flips(flips: StageFlips, report: Report) -> str:
    """Fold the examples away under the counts."""
    title = report.flips_title(flips)
    examples = [_example("Fixed", example, flips) for example in flips.fixed_examples]
    examples += [_example("Broken", example, flips) for example in flips.broken_examples]
    if not examples:
        return paragraph(title)
    return folded(title, "\n\n".join(examples))


def _example(name: str, example: Example, flips: StageFlips) -> str:
    return "\n\n".join(
        [
            f"**{name}** (target {inline(excerpt(example.target))})",
            fenced(excerpt(example.question)),
            f"{paragraph(flips.previous)}, {example.outcome_before}:",
            fenced(excerpt(example.before)),
            f"{paragraph(flips.stage)}, {example.outcome_after}:",
            fenced(excerpt(example.after)),
        ]
    )
