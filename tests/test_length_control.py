import numpy as np
import pytest
from scipy.special import expit

from stagelift.evals.stats import estimates, planning
from stagelift.evals.stats.difference import difference
from stagelift.evals.stats.length_control import (
    LengthControlled,
    difference_at_equal_lengths,
    length_controlled,
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
    assert (controlled.longer, controlled.extrapolates) == (0.5, False)


def test_identical_models_are_all_ties() -> None:
    controlled = found([0.5] * 20, [0.0] * 20)
    # Bonett and Price's interval with 0 and 0 of 20: sqrt(2) / 22 * 1.96 / 2
    assert (controlled.low, controlled.high) == pytest.approx(
        (0.5 - 0.06300, 0.5 + 0.06300), abs=1e-5
    )
    assert (controlled.value, controlled.p) == (0.5, 1)


@pytest.mark.parametrize(
    ("longer", "extrapolates"), [(4, True), (5, False), (45, False), (46, True)]
)
def test_extrapolation_is_marked_below_a_tenth_and_above_nine_tenths(
    longer: int, extrapolates: bool
) -> None:
    # the few are far off, so that the mean is not
    up, down = (400, 20) if longer < 25 else (20, 400)
    lengths = [float(up + step) for step in range(longer)] + [
        float(-down - step) for step in range(50 - longer)
    ]
    assert found([1.0, 0.0, 0.5, 1.0, 0.0] * 10, lengths).extrapolates is extrapolates


def test_equal_lengths_are_no_extrapolation() -> None:
    scores = [1.0, 0.0, 0.5, 1.0, 0.0, 0.5] * 10
    for few in ([20.0, 10.0, -15.0], [20.0, 10.0, 15.0]):
        assert not found(scores, [0.0] * 57 + few).extrapolates
    # one half of the pairs are longer, none is shorter
    assert found(scores, [0.0] * 30 + [10.0, 20.0] * 15).extrapolates


def test_a_mean_of_more_than_a_standard_deviation_is_an_extrapolation() -> None:
    scores = [1.0, 0.0, 0.5, 1.0, 0.0, 0.5] * 10
    lengths = [100.0, 120.0, 140.0, 110.0, 130.0, -10.0] * 10
    controlled = found(scores, lengths)
    assert controlled.longer == pytest.approx(5 / 6)
    assert controlled.extrapolates


def test_without_a_length_the_error_is_that_of_the_mean_with_n_less_one() -> None:
    controlled = found(SCORES, [0.0] * 48)
    # HC1 of a constant: n / (n - 1) on the variance, which is the sem's
    assert controlled.difference.sd == pytest.approx(np.std(SCORES, ddof=1))


def test_a_lead_is_planned_at_the_level_of_its_family() -> None:
    lead = found(SCORES, LENGTHS).difference
    alone, in_a_family = planning.detectable(lead), planning.detectable(lead, 0.05 / 20)
    assert alone is not None and in_a_family is not None
    assert in_a_family > 1.3 * alone


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
    assert controlled.difference.sd == pytest.approx(np.std(values) * np.sqrt(200), rel=0.15)


def test_a_candidate_compared_with_itself_is_identical() -> None:
    nothing = difference_at_equal_lengths((SCORES, LENGTHS), (SCORES, LENGTHS))
    ties = difference_at_equal_lengths(([0.5] * 48, LENGTHS), ([0.5] * 48, [0.0] * 48))
    # 48 pairs that may yet differ
    assert nothing == ties == difference([0.0] * 48, bound=1.0)
    bounds = difference_at_equal_lengths((SCORES, LENGTHS), (SCORES, LENGTHS), confidence=0.90)
    assert bounds == difference([0.0] * 48, bound=1.0, confidence=0.90)


def test_the_difference_of_two_candidates_is_that_of_their_values() -> None:
    other = (
        [0.0, 0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5] * 4,
        LENGTHS[1:] + LENGTHS[:1],
    )
    gap = difference_at_equal_lengths((SCORES, LENGTHS), other)
    turned = difference_at_equal_lengths(other, (SCORES, LENGTHS))
    assert gap is not None and turned is not None
    assert gap.delta == pytest.approx(found(SCORES, LENGTHS).value - found(*other).value)
    assert gap.low < gap.delta < gap.high
    assert (turned.delta, turned.p) == (-gap.delta, pytest.approx(gap.p))


def test_the_bootstrap_error_is_that_of_the_delta_method_where_one_side_does_not_vary() -> None:
    scores, lengths = longer_is_preferred(np.random.default_rng(1), n=200)
    ties = ([0.5] * 200, [0.0] * 200)
    gap, controlled = (
        difference_at_equal_lengths((scores, lengths), ties),
        found(scores, lengths),
    )
    assert gap is not None
    assert gap.delta == pytest.approx(controlled.value - 0.5)
    assert gap.high - gap.low == pytest.approx(controlled.high - controlled.low, rel=0.15)


def test_small_samples_with_singular_resamples_have_finite_intervals() -> None:
    one = ([0.0, 1.0, 0.5, 1.0, 0.0, 0.5], [3.0, 3.0, 3.0, -1.0, 0.0, 0.0])
    other = ([1.0, 1.0, 0.5, 0.0, 0.0, 0.5], [1.0, -1.0, 2.0, -2.0, 1.0, -3.0])
    gap = difference_at_equal_lengths(one, other)
    assert gap is not None
    assert -1 <= gap.low <= gap.delta <= gap.high <= 1


def test_candidates_on_different_numbers_of_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="same prompts, got 48 and 3"):
        difference_at_equal_lengths((SCORES, LENGTHS), ([1.0, 0.0, 0.5], [1.0, 2.0, 3.0]))


def test_no_difference_where_one_candidate_cannot_be_fitted() -> None:
    assert difference_at_equal_lengths((SCORES, LENGTHS), ([1.0] * 48, LENGTHS)) is None


def test_there_is_no_value_where_all_pairs_of_equal_length_are_the_same_responses() -> None:
    """They are ties, so that nothing varies where it is read off."""
    scores = [0.5] * 20 + [1.0, 0.0, 1.0, 0.5] * 10
    assert length_controlled(scores, [0.0] * 20 + [-1.0] * 40) is None
