"""LaTeX: every row has as many cells as the table has columns, and nothing in it acts."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stagelift.reports.formats.latex import escaped, render_latex
from stagelift.reports.report import Report, build_report
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.records import make_chain

HOSTILE = '\\input{/etc/passwd} $x$ #1 % ~ ^ & _ { } [h] * -- `` \x1b[31m Žluť 漢字 <b> "q" |'


def reports() -> list[Report]:
    return [
        golden_report(),
        build_report([golden_lattice()]),
        build_report([golden_variants()]),
        build_report([make_chain("one", base="cw"), make_chain(HOSTILE, base="wc")]),
    ]


def tabulars(text: str) -> list[tuple[str, list[str]]]:
    """Return the columns and the rows of every table."""
    found = re.findall(r"\\begin\{tabular\}\{(.*?)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    rules = (r"\toprule", r"\midrule", r"\bottomrule", r"\addlinespace")
    return [
        (columns, [line for line in body.splitlines() if line not in rules])
        for columns, body in found
    ]


@pytest.mark.parametrize("report", reports())
def test_every_row_has_as_many_cells_as_the_table_has_columns(report: Report) -> None:
    text = render_latex(report)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == len(tabulars(text))
    for columns, rows in tabulars(text):
        assert rows
        for row in rows:
            assert row.endswith(r" \\")
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
        for rule in ("toprule", "midrule", "bottomrule"):
            assert text.count(f"\\{rule}") == len(tabulars(text))


@pytest.mark.parametrize("report", reports())
def test_braces_and_dollars_are_in_balance_and_all_is_ascii(report: Report) -> None:
    text = render_latex(report)
    bare = re.sub(r"\\[{}$&#%_\\]", "", text)
    assert text.isascii() and bare.count("{") == bare.count("}")
    assert all(line.count("$") % 2 == 0 for line in bare.splitlines())
    known = r"\\(begin|end|centering|footnotesize|setlength|tabcolsep|caption|toprule|midrule)"
    rules = r"|\\(bottomrule|addlinespace|times|dagger|rightarrow|pm|leq|geq|text[a-z]+|ldots)"
    accents = r"|\\(usepackage|ss|ae|AE|oe|OE|o|O|l|L|[urHvc`'^~=.\"])"
    assert re.sub(f"({known}{rules}{accents})(?![A-Za-z])", "", bare).count("\\") == 0


def test_intervals_and_verdicts_stand_below_their_numbers() -> None:
    text = render_latex(golden_report())
    assert r"\caption{What each stage added: demo." in text
    assert "{[}" in text and "improved" in text and "$-$" in text


def test_what_latex_acts_on_is_written_out() -> None:
    assert escaped("50% of $x_1 & {y}") == r"50\% of \$x\_1 \& \{y\}"
    assert escaped("\\input{x}") == r"\textbackslash{}input\{x\}"
    assert escaped("a--b [c] *") == "a-{}-{}b {[}c{]} {*}"
    assert (
        escaped("Žluť 漢 × †\x1b[0m")
        == r"\v{Z}lu\v{t} U+6F22 $\times$ $\dagger$\textless{}U+001B\textgreater{}{[}0m"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_it_compiles(tmp_path: Path) -> None:
    tables = "".join(map(render_latex, reports()))
    page = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{tables}"
    (tmp_path / "page.tex").write_text(f"{page}\\end{{document}}")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "page.pdf").stat().st_size


def test_a_run_named_by_others_cannot_end_the_table() -> None:
    run = make_chain("one", base="cw", sft="cc")
    hostile = replace(run, name=HOSTILE, stages=[replace(one, run=HOSTILE) for one in run.stages])
    text = render_latex(build_report([hostile]))
    assert r"\input" not in text.replace(r"\textbackslash{}input", "")
