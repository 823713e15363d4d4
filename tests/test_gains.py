import random

import pytest

from stagelift.evals.records import Score
from stagelift.reports.numbers.gains import gains
from stagelift.reports.report import build_report
from stagelift.reports.tables.gains import gain_table
from tests.records import make_chain, make_outcome, make_run, make_score, make_stage


def test_each_part_is_what_became_correct_minus_what_stopped_being() -> None:
    (gain,) = gains(make_chain(base="wwwuuttccc", sft="ccwcucccwu"))
    assert {part.cause: (part.gained, part.lost) for part in gain.parts} == {
        "format": (0.1, 0.1),
        "stopping": (0.2, 0.0),
        "reasoning": (0.2, 0.1),
    }
    assert (gain.stage, gain.against, gain.n, gain.delta) == ("sft", "base", 10, pytest.approx(0.3))


@pytest.mark.parametrize("seed", range(20))
def test_the_parts_sum_to_the_difference(seed: int) -> None:
    chance = random.Random(seed)
    letters = ["".join(chance.choices("cwtu", k=chance.randint(2, 90))) for _ in range(1)]
    after = "".join(chance.choices("ccwtu", k=len(letters[0])))
    report = build_report([make_chain(base=letters[0], sft=after)])
    (gain,) = report.runs[0].gains
    assert sum(part.delta for part in gain.parts) == pytest.approx(gain.delta, abs=1e-12)
    (shown,) = [found for found in report.comparisons() if found.metric == "accuracy"]
    assert gain.delta == pytest.approx(shown.delta, abs=1e-12)
    assert all(part.low <= part.delta <= part.high for part in gain.parts)


def test_with_several_samples_the_parts_still_sum_to_the_difference() -> None:
    def scores(letters: str) -> list[Score]:
        kinds = {"c": "correct", "w": "wrong", "u": "unparsed"}
        return [
            make_outcome(f"p/{place // 2}", kinds[letter]).model_copy(update={"sample": place % 2})
            for place, letter in enumerate(letters)
        ]

    base = make_stage("base", scores("cwuuwwcc"))
    run = make_run([base, make_stage("sft", scores("ccccwucu"), [base])])
    (gain,) = gains(run)
    assert gain.n == 4
    assert gain.delta == pytest.approx(5 / 8 - 3 / 8)
    assert sum(part.delta for part in gain.parts) == pytest.approx(gain.delta)


def test_where_nobody_knows_what_was_cut_off_there_is_no_stopping_part() -> None:
    def unknown(correct: bool) -> list[Score]:
        return [
            make_score(f"p/{i}", correct or i > 2).model_copy(update={"truncated": None})
            for i in range(6)
        ]

    base = make_stage("base", unknown(False))
    run = make_run([base, make_stage("sft", unknown(True), [base])])
    (gain,) = gains(run)
    assert [part.cause for part in gain.parts] == ["format", "reasoning"]
    table = gain_table(build_report([run]))
    assert table is not None
    stopping = table.groups[0][0].cells[
        [column.title for column in table.columns].index("stopping")
    ]
    assert (stopping.text, stopping.notes) == ("–", ("not measured",))


def test_cut_off_responses_count_where_only_one_stage_knows_of_them() -> None:
    base = make_stage("base", [make_outcome("a", "truncated"), make_outcome("b", "truncated")])
    known = [make_score(one, True).model_copy(update={"truncated": None}) for one in ("a", "b")]
    (gain,) = gains(make_run([base, make_stage("sft", known, [base])]))
    assert gain.delta == 1.0 and sum(part.delta for part in gain.parts) == pytest.approx(1.0)


def test_the_table_has_strict_beside_numeric_and_counts_in_problems() -> None:
    table = gain_table(build_report([make_chain(base="wwwuuttccc", sft="ccwcucccwu")]))
    assert table is not None
    assert [column.title for column in table.columns] == [
        "numeric accuracy",
        "format",
        "stopping",
        "reasoning",
        "strict accuracy",
    ]
    cells = table.groups[0][0].cells
    assert [cell.text for cell in cells] == ["+30.0", "0.0", "+20.0", "+10.0", "+30.0"]
    assert cells[0].notes == ("30.0% → 60.0%",)
    assert cells[3].notes == ("2 gained, 1 lost",)


def test_one_stage_alone_gained_nothing() -> None:
    assert gain_table(build_report([make_chain(base="cwc")])) is None
