"""The mean of skewed values."""

import numpy as np
import pytest
from scipy import stats

from stagelift.evals.stats.skewness import critical, skewed_mean

SKEWED = np.array([1.0, 1.2, 0.9, 1.1, 1.0, 9.0, 1.3, 0.8, 1.1, 1.0, 2.5, 4.0])


def test_symmetric_values_have_the_t_interval() -> None:
    x = np.array([-2.0, -1.0, -0.5, 0.3, 1.1, 2.2, 0.1])
    found, t = skewed_mean(x, 0.95), stats.ttest_1samp(x, 0)
    assert (found.low, found.high) == pytest.approx(tuple(t.confidence_interval()))
    assert (found.p, found.skewness) == (pytest.approx(t.pvalue), 0)


def test_the_tail_is_reached_into_and_the_other_side_is_t() -> None:
    found, t = skewed_mean(SKEWED, 0.95), stats.ttest_1samp(SKEWED, 0).confidence_interval()
    assert found.low == pytest.approx(t.low)
    assert found.high > t.high
    turned = skewed_mean(-SKEWED, 0.95)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("level", [0.2, 0.05, 0.0025, 2.5e-4])
def test_what_is_asked_for_undoes_halls_transformation(level: float) -> None:
    """Of skewness 2 and n = 50: T + a T^2 / 3 + a^2 T^3 / 27 + a / 6 with a = 2 / sqrt(50)."""
    below, above = critical(2.0, 50, level)
    t, a = stats.t.isf(level / 2, 49), 2 / 50**0.5
    assert below == pytest.approx(t)
    assert -above + a * above**2 / 3 - a**2 * above**3 / 27 + a / 6 == pytest.approx(-t)


def test_three_values_have_too_little_to_tell_a_skewness_by() -> None:
    assert skewed_mean(np.array([0.0, 0.0, 5.0]), 0.95).skewness == 0
