"""The report as Markdown that GitHub renders.

Model output stands in fenced blocks that it cannot close.
"""

from collections.abc import Sequence

from stagelift.evals.printed import excerpt
from stagelift.reports.report import Example, Report, StageFlips
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.gains import gain_notes, gain_table
from stagelift.reports.tables.stages import headline_table, stage_table
from stagelift.reports.tables.study import Section, study_sections
from stagelift.reports.tables.table import Cell, Row, Table
from stagelift.reports.tables.trajectory import trajectory_sections
from stagelift.reports.words.escaping import fenced, folded, inline, paragraph, table_line
from stagelift.reports.words.gained_and_lost import TITLE, gained_and_lost
from stagelift.reports.words.illness import TITLE as ILL
from stagelift.reports.words.illness import illnesses
from stagelift.reports.words.notes import brief_notes, footnotes
from stagelift.reports.words.provenance import brief_provenance, provenance_lines
from stagelift.reports.words.summary import summary

_BOLD = ("improved", "regressed")


def render_markdown(report: Report) -> str:
    """Return the whole report, ending in a newline."""
    parts = [_title(report), paragraph(summary(report)), *_gained_and_lost(report), *_ill(report)]
    between, study = _sections(between_sections(report)), _sections(study_sections(report))
    parts += [*between, *study]
    if between or study:
        parts.append("## Model by model" if study else "## Stage by stage")
    parts.append(_table(stage_table(report)))
    for section in trajectory_sections(report):
        parts += [f"## {inline(section.title)}", _table(section.table)]
        parts += map(paragraph, section.notes)
    gains = gain_table(report)
    if gains is not None:
        parts += ["## Where accuracy came from", paragraph(gain_notes()), _table(gains)]
    if report.flips():
        changes = [_flips(flips, report) for flips in report.flips()]
        parts += ["## What changed, problem by problem", *changes]
    notes = "\n".join(f"- {paragraph(note)}" for note in footnotes(report))
    parts.append(folded("How to read this", notes))
    parts.append(folded("Provenance", _provenance(provenance_lines(report))))
    return "\n\n".join(parts) + "\n"


def render_markdown_summary(report: Report) -> str:
    """Return what fits a pull request's comment.

    That is verdicts in words, the main metrics, and what was measured how.
    """
    parts = [
        _title(report),
        paragraph(summary(report)),
        *_gained_and_lost(report),
        *_ill(report),
        *_sections(between_sections(report)),
        *(_sections(study_sections(report)) or [_table(headline_table(report))]),
        paragraph(brief_notes(report)),
        _provenance(brief_provenance(report)),
    ]
    return "\n\n".join(parts) + "\n"


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


def _sections(sections: Sequence[Section]) -> list[str]:
    """Write what several runs or a study ask, before their stages one by one."""
    parts = []
    for section in sections:
        parts += [f"## {inline(section.title)}", _table(section.table)]
        parts += map(paragraph, section.notes)
    return parts


def _title(report: Report) -> str:
    return f"# What each stage added: {inline(', '.join(run.name for run in report.runs))}"


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
