"""A report as a notebook shows it: the summary and a table of the main metrics.

Names are escaped, and no dollar sign in them is taken for mathematics.
"""

from stagelift.reports.report import Report
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.stages import headline_table
from stagelift.reports.tables.table import Cell, Row, Table
from stagelift.reports.words.escaping import page_text
from stagelift.reports.words.summary import summary


def render_notebook(report: Report) -> str:
    """Return an HTML fragment without styles, scripts or links."""
    between = [section.table for section in between_sections(report)]
    tables = "".join(map(_table, [*between, headline_table(report)]))
    return (
        f'<div class="stagelift tex2jax_ignore mathjax_ignore"><p>{page_text(summary(report))}</p>'
        f"{tables}</div>"
    )


def _table(table: Table) -> str:
    titles = "".join(f"<th>{page_text(column.title)}</th>" for column in table.columns)
    rows = "".join(_row(row) for group in table.groups for row in group)
    head = f"<thead><tr><th>{page_text(table.corner)}</th>{titles}</tr></thead>"
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def _row(row: Row) -> str:
    note = f"<br><small>{page_text(row.note)}</small>" if row.note else ""
    cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row.cells)
    return f"<tr><th>{page_text(row.title)}{note}</th>{cells}</tr>"


def _cell(cell: Cell) -> str:
    verdict = [f"<b>{page_text(cell.word)}</b>"] if cell.verdict is not None else []
    notes = [f"<small>{page_text(note)}</small>" for note in cell.notes]
    number = " ".join(part for part in (cell.text, cell.interval) if part)
    return "<br>".join([page_text(number), *verdict, *notes])
