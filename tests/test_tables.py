"""Tables as plain cells: readings that are equal are one row, a lattice has its shares, and a study
its sections.
"""

from stagelift.reports.report import build_report
from stagelift.reports.tables.attribution import (
    attribution_notes,
    attribution_table,
    interaction_table,
)
from stagelift.reports.tables.study import study_sections
from stagelift.reports.tables.table import NOTHING, Cell, Row, merged
from stagelift.reports.tables.variants import variant_notes, variant_tables
from tests.golden_report import golden_lattice, golden_variants
from tests.records import chain


def test_a_cell_with_nothing_to_say_is_empty() -> None:
    assert Cell().is_empty and Cell(NOTHING).is_empty
    assert not Cell("1.0%").is_empty and not Cell(notes=("alone",)).is_empty


def test_readings_that_agree_in_every_cell_become_one_row() -> None:
    def reading(note: str, text: str) -> tuple[Row, ...]:
        return (Row("accuracy", (Cell(text),), note),)

    numeric, strict, flexible = (
        reading("numeric, n=60", "50.0%"),
        reading("strict, n=60", "10.0%"),
        reading("flexible, n=60", "50.0%"),
    )
    assert merged([numeric, strict, flexible]) == [
        reading("numeric = flexible, n=60", "50.0%"),
        strict,
    ]


def test_a_lattice_has_a_share_per_stage_and_an_interaction_per_pair() -> None:
    report = build_report([golden_lattice()])
    (run,) = report.runs
    shares, pairs = attribution_table(run), interaction_table(run)
    assert shares is not None and pairs is not None
    assert [column.title for column in shares.columns] == [
        "sft's share",
        "dpo's share",
        "whole chain",
    ]
    assert [column.title for column in pairs.columns] == ["sft and dpo"]
    # of 60 problems sft alone solves 24, dpo alone 24, both 30: shares of 15, a loss of 18 together
    (accuracy,) = shares.groups[0]
    assert [cell.text for cell in accuracy.cells] == ["+25.0", "+25.0", "+50.0"]
    assert accuracy.cells[0].notes[0].startswith("alone +40.0 [")
    assert accuracy.cells[0].notes[1].startswith("on top +10.0 [")
    assert pairs.groups[0][0].cells[0].text == "-30.0"
    assert "Shapley value" in attribution_notes(run)[0]


def test_a_plain_chain_has_no_tables_of_a_study() -> None:
    report = build_report([chain([True, False], [True, True])])
    (run,) = report.runs
    assert attribution_table(run) is None and interaction_table(run) is None
    assert variant_tables(run) == {} and study_sections(report) == []


def test_variants_are_rows_of_a_table_per_stage() -> None:
    report = build_report([golden_variants()])
    (run,) = report.runs
    tables = variant_tables(run)
    assert list(tables) == ["sft"]
    titles = {row.title for group in tables["sft"].groups for row in group}
    assert any("r=4" in title for title in titles) and any("r=16" in title for title in titles)
    assert any("seed" in note for note in variant_notes(run))


def test_sections_of_two_studies_say_of_which_run_they_are() -> None:
    titles = [section.title for section in study_sections(build_report([golden_lattice()]))]
    assert titles == ["What each stage added, over all subsets of stages", "Interactions of stages"]
    sections = study_sections(build_report([golden_variants()]))
    assert [section.title for section in sections] == [
        "Variants after sft",
        "Over training seeds",
    ]
    assert all(section.notes for section in sections)
