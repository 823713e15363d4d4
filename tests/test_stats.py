import pytest

from evals import stats


def test_wilson_interval_of_none_in_twenty() -> None:
    metric = stats.proportion(0, 20)
    assert (metric.value, metric.low, metric.n) == (0, 0, 20)
    assert metric.high == pytest.approx(0.16113, abs=5e-6)


def test_paired_difference_of_the_worked_table() -> None:
    found = stats.difference([0.0] * 222 + [-1.0] * 64 + [1.0] * 293 + [0.0] * 740, binary=True)
    assert found.n == 1319
    assert found.delta == pytest.approx(0.173616, abs=5e-7)
    assert (found.low, found.high) == (pytest.approx(0.14712, abs=5e-6), pytest.approx(0.20012, abs=5e-6))
    assert found.mde == pytest.approx(2.8016 * 0.013509, rel=1e-3)


def test_worked_win_rate_interval_and_sign_test() -> None:
    scores = [1, 1, 0.5, 0, 0.5, 0.75, 0, 1, 0.5, 0.5, 0.75, 1]
    metric = stats.mean(scores)
    assert (metric.value, metric.n) == (0.625, 12)
    assert (metric.low, metric.high) == (pytest.approx(0.39531, abs=5e-6), pytest.approx(0.85469, abs=5e-6))
    assert stats.sign_test([score - 0.5 for score in scores]) == pytest.approx(0.2890625)


def test_few_discordant_pairs_get_exact_mcnemar() -> None:
    found = stats.difference([1.0] * 5 + [-1.0] + [0.0] * 94, binary=True)
    assert found.p == pytest.approx(0.21875)  # binomtest(5, 6)
    assert found.low < 0.04 < found.high


def test_identical_pairs_have_no_p_value_and_no_mde() -> None:
    assert stats.difference([0.0] * 50, binary=True) == stats.Difference(0.0, 0.0, 0.0, 50, None, None)
    assert stats.sign_test([0.0, 0.0]) is None


def test_swapping_the_sides_flips_the_sign() -> None:
    values = [0.5, -0.5, 1.0, 0.0, 0.5] * 8
    one, other = stats.difference(values), stats.difference([-value for value in values])
    assert one.delta == -other.delta
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.p == pytest.approx(other.p)


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [-1.0] * 5, [1.0], [0.0, 1.0]])
def test_tiny_samples_have_finite_intervals_that_hold_the_estimate(values: list[float]) -> None:
    found = stats.difference(values, binary=True)
    assert found.low <= found.delta <= found.high


def test_prompts_that_all_moved_alike_still_have_an_interval() -> None:
    found = stats.difference([1.0] * 128, binary=True)
    assert (found.delta, found.high) == (1, 1)
    assert 0.9 < found.low < 1
    assert found.p is not None and found.p < 1e-6


def test_holm_ignores_identical_pairs() -> None:
    assert stats.holm([0.01, None, 0.04]) == [pytest.approx(0.02), None, pytest.approx(0.04)]
    assert stats.holm([None]) == [None]


def test_quantile_interval_holds_the_quantile_and_stays_in_the_sample() -> None:
    metric = stats.quantile(list(range(100)), 0.9)
    assert 0 <= metric.low <= metric.value <= metric.high <= 99
    assert stats.quantile([7, 7, 7], 0.5).high == 7


def test_equal_values_have_an_interval_of_no_width() -> None:
    metric = stats.mean([3.0, 3.0, 3.0])
    assert (metric.low, metric.value, metric.high) == (3, 3, 3)
