"""Lists, counts, times and sizes in words."""

import pytest

from stagelift.reports.words.counting import duration, listed, number_of


def test_one_of_something_is_no_plural() -> None:
    written = number_of(1, "model"), number_of(2, "chain"), number_of(0, "row")
    assert written == ("1 model", "2 chains", "0 rows")


@pytest.mark.parametrize(
    ("words", "sentence"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")]
)
def test_a_list_ends_in_and(words: str, sentence: str) -> None:
    assert listed(list(words)) == sentence


@pytest.mark.parametrize(
    ("seconds", "written"), [(42, "42 s"), (186, "3.1 min"), (5999, "100.0 min"), (8640, "2.4 h")]
)
def test_a_duration_has_the_unit_that_keeps_it_short(seconds: float, written: str) -> None:
    assert duration(seconds) == written
