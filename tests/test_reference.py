from evals.judges.reference import prefer
from evals.records import Score


def score(correct: bool, n_tokens: int) -> Score:
    return Score(
        id="1",
        group="test",
        question="q",
        target="1",
        correct=correct,
        correct_strict=correct,
        answer="1",
        answer_strict=None,
        outcome="correct" if correct else "wrong",
        n_tokens=n_tokens,
        truncated=False,
    )


def test_right_beats_wrong_however_long() -> None:
    assert prefer(score(True, 500), score(False, 5))[0] == 1
    assert prefer(score(False, 5), score(True, 500))[0] == 0


def test_of_two_right_answers_the_clearly_shorter_wins() -> None:
    assert prefer(score(True, 89), score(True, 100))[0] == 1
    assert prefer(score(True, 90), score(True, 100))[0] == 0.5  # exactly 10% is not more than 10%
    assert prefer(score(True, 100), score(True, 89))[0] == 0


def test_two_wrong_answers_tie() -> None:
    assert prefer(score(False, 1), score(False, 100))[0] == 0.5
