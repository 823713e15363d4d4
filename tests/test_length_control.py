import numpy as np
import pytest
from scipy.special import expit

from stagelift.evals.stats import estimates, power
from stagelift.evals.stats.length_control import (
    LengthControlled,
    length_controlled,
    length_controlled_difference,
)
from tests.calibration import longer_is_preferred

SCORES = [1.0, 0.5, 1.0, 0.0, 0.5, 1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 1.0] * 4
LENGTHS = [30.0, 10, 45, -20, -5, 60, -40, 15, -10, 20, -30, 5] * 4


def found(
    scores: list[float], lengths: list[float], difficulty: list[float] | None = None
) -> LengthControlled:
    controlled = length_controlled(scores, lengths, difficulty)
    assert controlled is not None
    return controlled


def test_a_taste_for_length_is_taken_out() -> None:
    plain, controlled = estimates.mean(SCORES), found(SCORES, LENGTHS)
    assert controlled.low < controlled.value < plain.value
    assert (controlled.n, controlled.longer, controlled.extrapolates) == (
        48,
        pytest.approx(7 / 12),
        False,
    )


def test_the_value_is_one_half_where_length_is_all_there_is() -> None:
    scores, lengths = [1, 1, 0.5, 0, 0] * 8, [30, 20, 0, -20, -30] * 8
    # not separated
    scores[0], scores[3] = 0.5, 0.5
    controlled = found([float(score) for score in scores], [float(length) for length in lengths])
    assert controlled.low < 0.5 < controlled.high
    assert controlled.p is not None and controlled.p > 0.5


def test_the_sides_swapped_give_the_complement() -> None:
    one = found(SCORES, LENGTHS)
    other = found([1 - score for score in SCORES], [-length for length in LENGTHS])
    assert (one.value, one.low, one.p) == (
        pytest.approx(1 - other.value),
        pytest.approx(1 - other.high),
        pytest.approx(other.p),
    )


def test_the_unit_of_length_does_not_matter() -> None:
    assert found(SCORES, LENGTHS).value == pytest.approx(
        found(SCORES, [length * 4 for length in LENGTHS]).value
    )


def test_the_interval_stays_within_zero_and_one() -> None:
    controlled = found([1.0] * 9 + [0.5] + [1.0] * 10, [float(length) for length in range(-10, 10)])
    assert 0 < controlled.low < controlled.value < controlled.high < 1


def test_equal_lengths_leave_the_plain_win_rate() -> None:
    controlled = found(SCORES, [0.0] * 48)
    assert controlled.value == pytest.approx(estimates.mean(SCORES).value)
    assert (controlled.longer, controlled.extrapolates) == (0, False)


def test_identical_models_are_all_ties() -> None:
    controlled = found([0.5] * 20, [0.0] * 20)
    assert (controlled.low, controlled.value, controlled.high) == (0.5, 0.5, 0.5)
    assert (controlled.p, controlled.mde, controlled.needed) == (None, None, None)


@pytest.mark.parametrize(
    ("longer", "extrapolates"), [(4, True), (5, False), (45, False), (46, True)]
)
def test_extrapolation_is_marked_below_a_tenth_and_above_nine_tenths(
    longer: int, extrapolates: bool
) -> None:
    lengths = [float(20 + step) for step in range(longer)] + [
        float(-20 - step) for step in range(50 - longer)
    ]
    assert found([1.0, 0.0, 0.5, 1.0, 0.0] * 10, lengths).extrapolates is extrapolates


@pytest.mark.parametrize(
    ("scores", "lengths"),
    [
        # separated by length
        (
            [0.0] * 10 + [1.0] * 10,
            [float(length) for length in range(-10, 10)],
        ),
        # separated, never shorter
        (
            [0.0] * 10 + [1.0] * 10,
            [float(length) for length in range(20)],
        ),
        # all but separated
        (
            [0.0] * 5 + [0.0, 1.0, 0.5] + [1.0] * 5,
            [-1.0] * 5 + [0.0] * 3 + [1.0] * 5,
        ),
        # won every time
        ([1.0] * 20, [float(length) for length in range(-10, 10)]),
        # longer by the same amount throughout
        ([0.0, 1.0, 0.5, 1.0] * 5, [7.0] * 20),
        ([], []),
        # as many coefficients as prompts
        ([0.0, 1.0], [1.0, -2.0]),
        # predicted exactly
        ([0.5] * 9 + [0.75], [0.0] * 9 + [1.0]),
        # 1 - 10^-50 at equal lengths, by extrapolation
        (
            [0.5, 1.0, 1.0, 1.0],
            [536.0, 585.0, 302.0, 507.0],
        ),
    ],
)
def test_what_cannot_be_fitted_has_no_value(scores: list[float], lengths: list[float]) -> None:
    assert length_controlled(scores, lengths) is None


def test_difficulty_that_explains_nothing_changes_nothing_much() -> None:
    difficulty = [0.3, -0.3] * 24
    assert found(SCORES, LENGTHS, difficulty).value == pytest.approx(
        found(SCORES, LENGTHS).value, abs=0.02
    )


def test_difficulty_that_is_the_same_throughout_cannot_be_told_from_the_win_rate() -> None:
    assert length_controlled(SCORES, LENGTHS, [0.7] * 48) is None


def test_the_error_with_difficulty_is_that_of_resampled_prompts() -> None:
    rng = np.random.default_rng(2)
    difficulty, lengths = rng.normal(0, 2, 200), rng.normal(100, 300, 200)
    scores = rng.binomial(2, expit(difficulty + np.tanh(lengths / 300))) / 2
    resamples = [rng.integers(0, 200, 200) for _ in range(200)]
    values = [
        found(scores[rows].tolist(), lengths[rows].tolist(), difficulty[rows].tolist()).value
        for rows in resamples
    ]
    controlled = found(scores.tolist(), lengths.tolist(), difficulty.tolist())
    assert controlled.mde == pytest.approx(power.mde(np.std(values), 1), rel=0.15)


def test_a_candidate_compared_with_itself_is_identical() -> None:
    nothing = length_controlled_difference((SCORES, LENGTHS), (SCORES, LENGTHS))
    assert nothing == power.Difference(0.0, 0.0, 0.0, 48, None, None, None)
    ties = length_controlled_difference(([0.5] * 48, LENGTHS), ([0.5] * 48, [0.0] * 48))
    assert ties == nothing


def test_the_difference_of_two_candidates_is_that_of_their_values() -> None:
    other = (
        [0.0, 0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5] * 4,
        LENGTHS[1:] + LENGTHS[:1],
    )
    difference = length_controlled_difference((SCORES, LENGTHS), other)
    turned = length_controlled_difference(other, (SCORES, LENGTHS))
    assert difference is not None and turned is not None
    assert difference.delta == pytest.approx(found(SCORES, LENGTHS).value - found(*other).value)
    assert difference.low < difference.delta < difference.high
    assert (turned.delta, turned.p) == (-difference.delta, pytest.approx(difference.p))


def test_the_bootstrap_error_is_that_of_the_delta_method_where_one_side_does_not_vary() -> None:
    scores, lengths = longer_is_preferred(np.random.default_rng(1), n=200)
    ties = ([0.5] * 200, [0.0] * 200)
    difference, controlled = (
        length_controlled_difference((scores, lengths), ties),
        found(scores, lengths),
    )
    assert difference is not None
    assert difference.delta == pytest.approx(controlled.value - 0.5)
    assert difference.high - difference.low == pytest.approx(
        controlled.high - controlled.low, rel=0.15
    )


def test_small_samples_with_singular_resamples_have_finite_intervals() -> None:
    one = ([0.0, 1.0, 0.5, 1.0, 0.0, 0.5], [3.0, 3.0, 3.0, -1.0, 0.0, 0.0])
    other = ([1.0, 1.0, 0.5, 0.0, 0.0, 0.5], [1.0, -1.0, 2.0, -2.0, 1.0, -3.0])
    difference = length_controlled_difference(one, other)
    assert difference is not None
    assert -1 <= difference.low <= difference.delta <= difference.high <= 1


def test_candidates_on_different_numbers_of_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="same prompts, got 48 and 3"):
        length_controlled_difference((SCORES, LENGTHS), ([1.0, 0.0, 0.5], [1.0, 2.0, 3.0]))


def test_no_difference_where_one_candidate_cannot_be_fitted() -> None:
    assert length_controlled_difference((SCORES, LENGTHS), ([1.0] * 48, LENGTHS)) is None
