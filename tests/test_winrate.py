import pytest

from evals.records import Score, Verdict
from evals.winrate import judge_pairs, win_rate, win_tie_loss
from tests.test_reference import score

WORKED = [(1, 1), (1, 1), (1, 0), (0, 0), (0.5, 0.5), (1, 0.5), (0, 0), (1, 1), (1, 0), (0, 1), (0.5, 1), (1, 1)]


def test_worked_figures_of_two_orders() -> None:
    verdicts = [
        Verdict(id=str(index), against="base", score=(first + second) / 2, reason="")
        for index, (first, second) in enumerate(WORKED)
    ]
    assert win_rate(verdicts).value == 0.625
    assert win_rate(verdicts).low == pytest.approx(0.39531, abs=5e-6)
    assert win_tie_loss(verdicts) == (6, 4, 2)


def test_a_judge_that_only_looks_at_the_slot_ties_everything() -> None:
    def first_slot(_first: Score, _second: Score) -> tuple[float, str]:
        return 1.0, "it came first"

    mine = [score(True, 10)]
    verdicts = judge_pairs(mine, {"1": score(False, 10)}, "base", first_slot)
    assert [verdict.score for verdict in verdicts] == [0.5]


def test_pairs_are_joined_by_id_and_a_missing_one_is_an_error() -> None:
    with pytest.raises(KeyError):
        judge_pairs([score(True, 10)], {"other": score(True, 10)}, "base", lambda *_: (0.5, ""))
