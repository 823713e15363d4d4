import pytest

from stagelift.reports.report import Report, build_report
from stagelift.reports.tables.stages import headline_table, stage_table
from stagelift.reports.tables.table import Cell, Row, Table
from tests.records import make_chain, with_passport

LONG = 60


def report() -> Report:
    return build_report(
        [make_chain(base="w" * LONG, sft="c" * 40 + "w" * 20, dpo="c" * 41 + "w" * 19)]
    )


def cells(table: Table, title: str, note: str = "") -> dict[str, Cell]:
    row = next(row for row in rows(table) if row.title == title and note in row.note)
    return dict(zip([column.title for column in table.columns], row.cells, strict=True))


def rows(table: Table) -> list[Row]:
    return [row for group in table.groups for row in group]


def test_what_a_stage_added_stands_between_its_column_and_the_one_before() -> None:
    table = stage_table(report())
    assert [column.title for column in table.columns] == [
        "base",
        "sft added",
        "sft",
        "dpo added",
        "dpo",
    ]
    accuracy = cells(table, "accuracy")
    assert accuracy["base"].text == "0.0%" and accuracy["base"].interval == "[0.0, 6.0]"
    assert (accuracy["sft added"].text, accuracy["sft added"].verdict) == ("+66.7", "improved")
    assert (accuracy["dpo added"].text, accuracy["dpo added"].verdict) == (
        "+1.7",
        "no difference shown",
    )


def test_no_difference_shown_comes_with_mde_and_the_n_that_would_show_it() -> None:
    (note,) = cells(stage_table(report()), "accuracy")["dpo added"].notes
    assert note == "MDE 14.7, n needed 543"


def test_the_chain_to_base_stands_below_from_the_second_trained_stage_on() -> None:
    table = stage_table(report())
    group = next(group for group in table.groups if group[0].title == "accuracy")
    below = dict(zip([column.title for column in table.columns], group[1].cells, strict=True))
    assert group[1].indented and below["dpo"].text == "+68.3" and below["dpo"].verdict == "improved"
    assert [title for title, cell in below.items() if cell.is_empty] == [
        "base",
        "sft added",
        "sft",
        "dpo added",
    ]


def test_readings_that_agree_everywhere_share_a_row() -> None:
    assert [row.note for row in rows(stage_table(report())) if row.title == "accuracy"] == [
        f"numeric = strict (####) = flexible, n={LONG}"
    ]


def test_win_rates_stand_where_their_opponent_is() -> None:
    table = stage_table(report())
    base, previous = cells(table, "win rate", "base"), cells(table, "win rate", "previous")
    assert base["sft"].verdict == "improved" and base["sft added"].is_empty
    assert previous["dpo added"].notes[-1] == "W/T/L 1/59/0" and previous["dpo"].is_empty


def test_an_unfit_judge_gives_no_verdict() -> None:
    unfit = with_passport(report(), fit=False)
    cell = cells(stage_table(unfit), "win rate", "base")["sft"]
    assert cell.verdict is None and cell.notes[0] == "judge not fit to decide"


def test_outcomes_and_costs_are_in_the_table_and_not_in_the_headlines() -> None:
    whole, short = stage_table(report()), headline_table(report())
    outcomes = cells(whole, "outcomes")["sft"]
    assert (outcomes.text, outcomes.notes) == (
        "40 correct",
        ("20 wrong", "0 unparsed", "0 truncated"),
    )
    assert cells(whole, "training time")["sft added"].text == "61 s"
    assert [row.title for row in rows(short)] == [
        "accuracy",
        "win rate",
        "win rate",
        "length",
        "cut off",
    ]


@pytest.mark.parametrize("stages", [1, 2])
def test_rows_without_anything_to_compare_are_left_out(stages: int) -> None:
    names = {"base": "cwc", "sft": "ccw"}
    table = stage_table(build_report([make_chain(**dict(list(names.items())[:stages]))]))
    assert "to base" not in [row.title for row in rows(table)]
    assert all(len(row.cells) == len(table.columns) for row in rows(table))
