"""A report as a notebook shows it: the summary and a table of the main metrics.

Names are escaped, and no dollar sign in them is taken for mathematics.
"""

import html

from stagelift.evals.printed import safe_text
from stagelift.reports.report import Report
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.stages import headline_table
from stagelift.reports.tables.table import Cell, Row, Table
from stagelift.reports.words.summary import summary


def render_notebook(report: Report) -> str:
    """Return an HTML fragment without styles, scripts or links."""
    between = [section.table for section in between_sections(report)]
    tables = "".join(map(_table, [*between, headline_table(report)]))
    return (
        f'<div class="stagelift tex2jax_ignore mathjax_ignore"><p>{_text(summary(report))}</p>'
        f"{tables}</div>"
    )


def _table(table: Table) -> str:
    titles = "".join(f"<th>{_text(column.title)}</th>" for column in table.columns)
    rows = "".join(_row(row) for group in table.groups for row in group)
    head = f"<thead><tr><th>{_text(table.corner)}</th>{titles}</tr></thead>"
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def _row(row: Row) -> str:
    note = f"<br><small>{_text(row.note)}</small>" if row.note else ""
    cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row.cells)
    return f"<tr><th>{_text(row.title)}{note}</th>{cells}</tr>"


def _cell(cell: Cell) -> str:
    verdict = [f"<b>{_text(cell.word)}</b>"] if cell.verdict is not None else []
    notes = [f"<small>{_text(note)}</small>" for note in cell.notes]
    number = " ".join(part for part in (cell.text, cell.interval) if part)
    return "<br>".join([_text(number), *verdict, *notes])


def _text(text: str) -> str:
    return html.escape(safe_text(text))
