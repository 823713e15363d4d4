"""What is printed fits the terminal, whatever its width: words wrap, and nothing is cut."""

import io
import re
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from stagelift.reports.formats.columns import Columns, grid, print_columns
from stagelift.reports.formats.console import Console, Text
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.report import Report, build_report
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.gains import gain_table
from stagelift.reports.tables.stages import stage_table
from stagelift.reports.tables.study import study_sections
from stagelift.reports.tables.table import Table
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.records import make_chain

WIDTHS = [80, 100, 120, 160]
REPORTS = {
    "chain": golden_report(),
    "lattice": build_report([golden_lattice()]),
    "variants and seeds": build_report([golden_variants()]),
    "two runs": build_report(
        [make_chain("a", base="w" * 40, sft="c" * 40), make_chain("b", base="wc" * 20)]
    ),
}
INTERVAL = r"\[[^\s\[\]]+, [^\s\[\]]+\]"


def shown(report: Report, width: int) -> str:
    out = io.StringIO()
    print_report(report, Console(out, width=width))
    return out.getvalue()


def tables(report: Report) -> list[Table]:
    sections = (*between_sections(report), *study_sections(report))
    gains = gain_table(report)
    found = [stage_table(report), *(section.table for section in sections)]
    return found if gains is None else [*found, gains]


def written(table: Table) -> Iterator[str]:
    """Yield every text of a table."""
    yield from (column.title for column in table.columns)
    for row in (row for group in table.groups for row in group):
        yield from (row.title, row.note)
        for cell in (cell for cell in row.cells if not cell.is_empty):
            yield from (cell.text, cell.interval, cell.word if cell.verdict else "", *cell.notes)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", REPORTS)
def test_no_word_of_a_report_is_cut(name: str, width: int) -> None:
    text = shown(REPORTS[name], width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    words = set(text.split())
    for said in (said for table in tables(REPORTS[name]) for said in written(table)):
        assert set(said.split()) <= words, said


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", REPORTS)
def test_no_interval_of_a_report_is_broken(name: str, width: int) -> None:
    text = shown(REPORTS[name], width)
    for said in (said for table in tables(REPORTS[name]) for said in written(table)):
        assert all(interval in text for interval in re.findall(INTERVAL, said)), said
    assert not re.search(r"\[[-+]?[\d.]+,$", text, flags=re.MULTILINE)


def test_what_a_stage_added_stands_beside_the_stage() -> None:
    added = re.findall(r"^.* added *$", shown(REPORTS["chain"], 80), flags=re.MULTILINE)
    assert not added


def listed(width: int, *cells: str) -> list[str]:
    out = io.StringIO()
    titles = [f"column {place}" for place in range(len(cells))]
    print_columns(Columns(titles, [[list(map(Text, cells))]]), Console(out, width=width))
    return out.getvalue().splitlines()


def test_columns_that_do_not_fit_stand_below_the_others_behind_the_name() -> None:
    lines = listed(40, "a-run", "finished", "x" * 20, "y" * 20)
    assert [line.split() for line in lines if line.startswith("a-run")] == [
        ["a-run", "finished", "x" * 20],
        ["a-run", "y" * 20],
    ]


def test_a_word_wider_than_the_terminal_goes_on_in_the_next_line() -> None:
    lines = listed(20, "n" * 50, "v" * 50)
    assert max(map(cell_len, lines)) <= 20
    said = "".join(lines)
    assert said.count("v") == 50 and said.count("n") == 50 + 2


def test_a_row_that_says_something_elsewhere_alone_is_left_out() -> None:
    rows = [[Text("one"), Text("x" * 20), Text("")], [Text("head"), Text(), Text()]]
    out = io.StringIO()
    print_columns(Columns(("", "first", "s" * 20), [rows]), Console(out, width=30))
    first, second = out.getvalue().split("s" * 20)
    assert "one" in first and "head" in first and "one" not in second and "head" in second


def test_a_grid_folds_what_it_would_else_cut() -> None:
    drawn, out = grid(2), io.StringIO()
    drawn.add_row(Text("path"), Text("/" + "x" * 100))
    Console(out, width=40).print(drawn)
    assert out.getvalue().count("x") == 100 and "…" not in out.getvalue()


def test_an_interval_and_a_p_stay_whole_and_the_text_is_the_same() -> None:
    said = "accuracy [+1.0, +2.0] not after Holm (p = 0.046) † of n needed 1,200"
    lines = Text(said).wrap(Console(io.StringIO()), 21)
    assert [line.plain.strip() for line in lines] == [
        "accuracy [+1.0, +2.0]",
        "not after Holm",
        "(p = 0.046) † of",
        "n needed 1,200",
    ]
