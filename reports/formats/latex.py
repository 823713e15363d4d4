r"""A report's tables as LaTeX, for a paper: they need `\usepackage{booktabs}` and nothing else.

Text from files and models is escaped, and what pdfLaTeX has no letter for is written as its code
point, so that no name stops a document from compiling.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from stagelift.evals.printed import flat
from stagelift.reports.report import Report
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.stages import headline_table
from stagelift.reports.tables.study import Section, study_sections
from stagelift.reports.tables.table import Cell, Row, Table
from stagelift.reports.words.notes import brief_notes

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    # two of them would join to a dash
    "-": "-{}",
    # after the end of a row they would be its arguments
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "−": "$-$",
    "×": r"$\times$",
    "†": r"$\dagger$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}
# what LaTeX calls the marks that Unicode puts above and below letters
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}


def render_latex(report: Report) -> str:
    """Return a `table` for what runs and studies ask, and one of the main metrics by stage."""
    sections = [*between_sections(report), *study_sections(report)]
    names = ", ".join(run.name for run in report.runs)
    stages = Section(
        f"What each stage added: {names}", headline_table(report), (brief_notes(report),)
    )
    tables = [_table(section) for section in [*sections, stages]]
    return "\n".join(["% needs \\usepackage{booktabs}", *tables])


def escaped(text: str) -> str:
    """Escape what LaTeX would act on."""
    letters = "".join(map(_letter, flat(text)))
    # two of them at a line's start are a command of GitHub's log
    return letters.replace("::", ":{}:")


def _letter(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character.isascii():
        return character
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if letter.isascii() and len(accents) == 1 and accents[0] in _ACCENTS:
        return f"\\{_ACCENTS[accents[0]]}{{{letter}}}"
    return f"U+{ord(character):04X}"


def _table(section: Section) -> str:
    caption = " ".join([section.title.rstrip(".") + ".", *section.notes])
    table = section.table
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escaped(caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        _line([table.corner, *(column.title for column in table.columns)]),
        r"\midrule",
        *_rows(table),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _rows(table: Table) -> list[str]:
    """Write every row in as many lines as its fullest cell has, rows a little apart."""
    lines: list[str] = []
    for row in (row for group in table.groups for row in group):
        lines += [r"\addlinespace"] if lines else []
        columns = [_title(row), *(_cell(cell) for cell in row.cells)]
        lines += [_line(cells) for cells in zip_longest(*columns, fillvalue="")]
    return lines


def _title(row: Row) -> list[str]:
    return [row.title, *([row.note] if row.note else [])]


def _cell(cell: Cell) -> list[str]:
    verdict = [cell.word] if cell.verdict is not None else []
    parts = [cell.text, *([cell.interval] if cell.interval else []), *verdict, *cell.notes]
    # a hyphen before a number is a minus
    return [re.sub(r"(?<!\w)-(?=\d)", "−", part) for part in parts if part]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
