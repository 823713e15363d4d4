from stagelift.evals.judges.reference import decide
from tests.judges import pair, said


def score(*responses: tuple[bool | None, int | None, str]) -> float | None:
    first, second = (
        said(text, correct=correct, n_tokens=tokens) for correct, tokens, text in responses
    )
    return decide([pair(first, second)])[0].score


def test_right_beats_wrong_however_long() -> None:
    assert score((True, 500, "a"), (False, 5, "b")) == 1
    assert score((False, 5, "a"), (True, 500, "b")) == 0


def test_of_two_right_answers_the_clearly_shorter_wins() -> None:
    assert score((True, 89, "a"), (True, 100, "b")) == 1
    # exactly 10% is not more than 10%
    assert score((True, 90, "a"), (True, 100, "b")) == 0.5
    assert score((True, 100, "a"), (True, 89, "b")) == 0


def test_where_tokens_are_not_known_characters_count() -> None:
    assert score((True, None, "short"), (True, 3, "a much longer answer")) == 1


def test_two_wrong_answers_tie() -> None:
    assert score((False, 1, "a"), (False, 100, "b")) == 0.5


def test_without_a_target_it_gives_no_verdict() -> None:
    assert score((None, 1, "a"), (None, 1, "b")) is None
