"""A report as text in any of its formats."""

import io

from stagelift.evals.printed import without_commands
from stagelift.reports.formats.console import Console
from stagelift.reports.formats.document import render_json
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.latex import render_latex
from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary
from stagelift.reports.formats.names import Format
from stagelift.reports.formats.terminal import WIDE, print_report
from stagelift.reports.formats.tidy import render_csv
from stagelift.reports.report import Report


def render_text(report: Report, form: Format, *, summary: bool = False) -> str:
    """Return the report, or with `summary` what fits a comment, in Markdown.

    Raises ValueError for a page whose responses would need a second file.
    """
    match form:
        case Format.terminal:
            return _terminal_text(report)
        case Format.markdown if summary:
            return render_markdown_summary(report)
        case Format.markdown:
            return render_markdown(report)
        case Format.html:
            return render_html(report).html
        case Format.json:
            return render_json(report)
        case Format.csv:
            return render_csv(report)
        case Format.latex:
            return render_latex(report)


def _terminal_text(report: Report) -> str:
    text = io.StringIO()
    print_report(report, Console(text, width=WIDE, force_terminal=False, color_system=None))
    return without_commands(text.getvalue())
