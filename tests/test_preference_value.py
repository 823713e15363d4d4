"""How a stored preference is written."""

import pytest

from stagelift.evals.data.preference_value import read_preference


@pytest.mark.parametrize(
    ("written", "preference"),
    [(1, 1), (2.0, 2), (1.25, 1.25), (1.5, 1.5), (0, 1.5), (0.0, 1.5), (None, None), (-1, None)],
)
def test_a_draw_may_be_written_0_and_no_verdict_is_none(
    written: float | None, preference: float | None
) -> None:
    assert read_preference(written) == preference


def test_nan_is_no_verdict() -> None:
    assert read_preference(float("nan")) is None


@pytest.mark.parametrize("written", [2.5, 0.5, -2, float("inf"), "2", True, [1]])
def test_what_is_no_preference_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="a number from 1"):
        read_preference(written)
