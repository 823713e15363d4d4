"""The report as Markdown that GitHub renders. Model output stands in fenced blocks that it cannot close."""

import re

from reports.formatting import excerpt, safe_text
from reports.report import Example, Report, StageFlips
from reports.rows import Cell, Row, cost_rows, footnotes, header_lines, metric_rows

_BOLD = ("improved", "regressed")


def render_markdown(report: Report) -> str:
    """Return the whole report, ending in a newline."""
    title = ", ".join(run.name for run in report.runs)
    header = "\n".join(f"- **{name}**: {_inline(text)}" for name, text in header_lines(report))
    notes = "\n\n".join(footnotes(report))
    parts = [f"# What each stage added: {_inline(title)}", header, _table(report), notes]
    return "\n\n".join([*parts, *(_flips(flips, report) for flips in report.flips)]) + "\n"


def _table(report: Report) -> str:
    columns = [_inline(report.column(stage)) for stage in report.stages()]
    lines = [_line(["", *columns]), _line([":---"] * (len(columns) + 1))]
    for group in metric_rows(report):
        lines += [_row(row) for row in group]
    lines += [_row(row) for row in cost_rows(report)]
    return "\n".join(lines)


def _row(row: Row) -> str:
    title = f"&emsp;{_inline(row.title)}" if row.indented else f"**{_inline(row.title)}**"
    title += f"<br>{_inline(row.note)}" if row.note else ""
    return _line([title, *(_cell(cell) for cell in row.cells)])


def _cell(cell: Cell) -> str:
    if not cell.note:
        return _inline(cell.text)
    lines = [f"**{line}**" if line in _BOLD else _inline(line) for line in cell.note.splitlines()]
    return "<br>".join([_inline(cell.text), *lines])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _flips(flips: StageFlips, report: Report) -> str:
    stage, previous = _inline(flips.stage), _inline(flips.previous)
    parts = [f"## {_inline(report.flips_title(flips))}"]
    for name, examples in (("Fixed", flips.fixed_examples), ("Broken", flips.broken_examples)):
        parts += [_example(name, example, stage, previous) for example in examples]
    return "\n\n".join(parts)


def _example(name: str, example: Example, stage: str, previous: str) -> str:
    return "\n\n".join(
        [
            f"**{name}** (target {_inline(excerpt(example.target))})",
            _fenced(excerpt(example.question)),
            f"{previous}, {example.outcome_before}:",
            _fenced(excerpt(example.before)),
            f"{stage}, {example.outcome_after}:",
            _fenced(excerpt(example.after)),
        ]
    )


def _fenced(text: str) -> str:
    """Fence with more backticks than the text has in a row, so that nothing in it can end the block."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _inline(text: str) -> str:
    """Escape what Markdown, HTML or a table would act on."""
    flat = " ".join(safe_text(text).split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", flat)
