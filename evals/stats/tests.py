"""Paired tests: the difference of two models on the same prompts, or of two trainings with the same
seeds.

Thin calls into scipy and statsmodels, chosen as the statistics page says. `difference` expects
values that were already paired by prompt id. It does not know of the spread between training runs:
seeds are a level of their own.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from stagelift.evals.stats.estimates import is_constant, over_seeds, spread
from stagelift.evals.stats.lengths import median_difference, ratio
from stagelift.evals.stats.power import Difference, mde, prompts_needed, small_sample_mde
from stagelift.evals.stats.skewness import skewed_mean

__all__ = ["median_difference", "ratio"]

FEW_DISCORDANT_PAIRS = 25
FEW_PROMPTS = 30


def seed_difference(differences: Sequence[float]) -> Difference:
    """Test paired differences, one per training seed, against zero: t over seeds, whatever their
    number.

    Raises ValueError below two seeds. Equal differences have no spread to test by: then it is the
    sign test.
    """
    average = over_seeds(differences)
    n = average.n
    if is_constant(differences):
        p = p_value([average.value] * n)
        return Difference(average.value, average.low, average.high, n, p, None, None)
    p = float(stats.ttest_1samp(differences, 0).pvalue)
    detectable = small_sample_mde(spread(differences), n)
    return Difference(average.value, average.low, average.high, n, p, detectable, None)


def difference(
    differences: Sequence[float], *, binary: bool = False, bound: float | None = None
) -> Difference:
    """Test a paired difference against zero.

    `differences` holds one value per prompt. The t test decides, except where it cannot be trusted:
    with fewer than 30 prompts, or (`binary`, values in {-1, 0, 1}) fewer than 25 discordant pairs,
    the interval is BCa and a binary p is exact McNemar. `bound` is the largest size a difference
    can have, where there is one (1 for binary values).
    """
    d = np.asarray(differences, dtype=float)
    if not d.any():
        return Difference(0.0, 0.0, 0.0, d.size, None, None, None)
    low, high = _interval(d, binary, bound, 0.95)
    p = p_value(differences, binary=binary)
    if np.ptp(d) == 0:
        return Difference(float(d[0]), low, high, d.size, p, None, None)
    delta, sd = float(d.mean()), float(d.std(ddof=1))
    return Difference(delta, low, high, d.size, p, mde(sd, d.size), prompts_needed(delta, sd))


def p_value(differences: Sequence[float], *, binary: bool = False) -> float | None:
    """Give the p of `difference` alone, without the cost of its interval; None where every pair is
    identical.
    """
    d = np.asarray(differences, dtype=float)
    discordant = int(np.count_nonzero(d))
    if discordant == 0:
        return None
    # every prompt moved by the same amount, there is no spread to estimate from: the sign test
    if np.ptp(d) == 0:
        return float(stats.binomtest(d.size, d.size).pvalue)
    if _t_can_be_trusted(d, binary):
        return float(stats.ttest_1samp(d, 0).pvalue)
    if binary:
        return float(stats.binomtest(int((d > 0).sum()), discordant).pvalue)
    return _exact_sign_flip(d)


def bounds(
    differences: Sequence[float], *, binary: bool = False, bound: float | None = None
) -> tuple[float, float]:
    """Lower and upper one-sided 5% bounds of a paired difference, for a gate; methods as in
    `difference`.
    """
    # 5% beyond either end
    return _interval(np.asarray(differences, dtype=float), binary, bound, 0.90)


def _interval(
    d: np.ndarray, binary: bool, bound: float | None, confidence: float
) -> tuple[float, float]:
    if not d.any():
        return 0.0, 0.0
    if np.ptp(d) == 0:
        largest = 1.0 if binary else bound
        return _constant_interval(d, largest, confidence)
    if _t_can_be_trusted(d, binary):
        interval = stats.ttest_1samp(d, 0).confidence_interval(confidence)
        return float(interval.low), float(interval.high)
    found = skewed_mean(d, confidence)
    return found.low, found.high


def _t_can_be_trusted(d: np.ndarray, binary: bool) -> bool:
    return d.size >= FEW_PROMPTS and not (binary and np.count_nonzero(d) < FEW_DISCORDANT_PAIRS)


def _constant_interval(
    d: np.ndarray, bound: float | None, confidence: float
) -> tuple[float, float]:
    """Take the share of prompts that may yet move otherwise (Wilson), at worst by the whole
    bound.
    """
    value = float(d[0])
    if bound is None:
        bound = abs(value)
    share = stats.binomtest(d.size, d.size).proportion_ci(confidence, method="wilson").low
    worst = float(value * share - np.copysign(1 - share, value) * bound)
    return min(value, worst), max(value, worst)


def _exact_sign_flip(d: np.ndarray) -> float:
    """Paired permutation test: flip the signs of the differences (all of them where they are few
    enough).
    """
    rng = np.random.default_rng(0)
    result = stats.permutation_test((d,), np.mean, permutation_type="samples", batch=1000, rng=rng)
    return float(result.pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm-adjust the p values that exist; None (identical pairs) stays None and does not count in
    the family.
    """
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(multipletests(known, method="holm")[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def sign_test(leads: Sequence[float]) -> float | None:
    """Exact two-sided sign test over the values that are not zero; None where there are none."""
    ahead = sum(lead > 0 for lead in leads)
    decided = sum(lead != 0 for lead in leads)
    if decided == 0:
        return None
    return float(stats.binomtest(ahead, decided).pvalue)
