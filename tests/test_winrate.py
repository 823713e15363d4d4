import pytest

from stagelift.evals.judges.controls import control
from stagelift.evals.judges.judging import SAME, judge_pairs
from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.metrics.winrate import (
    length_controlled_win_rate,
    win_rate,
    win_tie_loss,
)
from stagelift.evals.records import Verdict
from tests.judges import answered, opinionated

WORKED = [
    (1, 1),
    (1, 1),
    (1, 0),
    (0, 0),
    (0.5, 0.5),
    (1, 0.5),
    (0, 0),
    (1, 1),
    (1, 0),
    (0, 1),
    (0.5, 1),
    (1, 1),
]


def worked_verdicts() -> list[Verdict]:
    return [
        Verdict(
            id=str(index),
            against="base",
            score=(first + second) / 2,
            orders=(first, second),
            reason="",
        )
        for index, (first, second) in enumerate(WORKED)
    ]


def test_worked_figures_of_two_orders() -> None:
    rate = win_rate(worked_verdicts())
    assert rate is not None
    assert rate.value == 0.625
    assert (rate.low, rate.high) == pytest.approx((0.39531, 0.85469), abs=5e-6)
    assert win_tie_loss(worked_verdicts()) == (6, 4, 2)


def test_a_judge_that_only_looks_at_the_slot_ties_everything() -> None:
    verdicts = judge_pairs(
        answered({"a": "x"}), answered({"a": "y"}), "test", "base", opinionated(1)
    )
    assert [(verdict.score, verdict.orders) for verdict in verdicts] == [(0.5, (1, 0))]


def test_equal_responses_tie_without_asking() -> None:
    verdicts = judge_pairs(
        answered({"a": "x", "b": "y"}),
        answered({"a": "x", "b": "z"}),
        "test",
        "base",
        opinionated(1),
    )
    assert [(verdict.id, verdict.score, verdict.reason == SAME) for verdict in verdicts] == [
        ("a", 0.5, True),
        ("b", 0.5, False),
    ]


def test_a_pair_without_a_verdict_does_not_count() -> None:
    verdicts = judge_pairs(
        answered({"a": "x", "b": "y"}),
        answered({"a": "x", "b": "z"}),
        "test",
        "base",
        opinionated(None),
    )
    assert [verdict.score for verdict in verdicts] == [0.5, None]
    rate = win_rate(verdicts)
    assert rate is not None and rate.n == 1
    assert win_rate(verdicts[1:]) is None


def test_pairs_are_joined_by_id_and_a_missing_one_is_an_error() -> None:
    with pytest.raises(KeyError):
        judge_pairs(answered({"a": "x"}), answered({"b": "y"}), "test", "base", opinionated(1))


def test_the_length_difference_is_the_stages_minus_the_others_in_characters() -> None:
    (verdict,) = judge_pairs(
        answered({"a": "four"}), answered({"a": "sixsix"}), "test", "base", control("longest")
    )
    assert (verdict.length_difference, verdict.score) == (-2, 0)


def test_without_lengths_there_is_no_length_controlled_rate() -> None:
    assert length_controlled_win_rate(worked_verdicts()) is None


def test_win_rates_have_the_names_of_the_report() -> None:
    assert win_rate_name("base", "test") == "win_rate_base"
    assert win_rate_name("reference", "test", equal_lengths=True) == "win_rate_lc"
    assert (
        win_rate_name("previous", "preference", equal_lengths=True)
        == "win_rate_lc_previous_preference"
    )
