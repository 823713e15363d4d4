"""Paired tests: the difference of two models on the same prompts, or of two trainings with the same
seeds.

Thin calls into scipy and statsmodels, chosen as the statistics page says. `difference` expects
values that were already paired by prompt id. It does not know of the spread between training runs:
seeds are a level of their own.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from stagelift.evals.records import Metric
from stagelift.evals.stats.estimates import is_constant, mean, over_seeds, spread
from stagelift.evals.stats.power import Difference, mde, prompts_needed, small_sample_mde

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
    return _bca(d, np.mean, confidence) or (float(d.min()), float(d.max()))


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


def _bca(
    d: np.ndarray, statistic: Callable[..., float], confidence: float
) -> tuple[float, float] | None:
    """BCa bootstrap interval; None where it degenerates, which the nan limits say as well as
    scipy's warnings do.
    """
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return _bootstrap(d, statistic, "BCa", confidence)


def _bootstrap(
    d: np.ndarray,
    statistic: Callable[..., float],
    method: str,
    confidence: float,
    resamples: int = 9999,
) -> tuple[float, float] | None:
    """Resample in batches, so that memory does not grow with the number of resamples."""
    rng = np.random.default_rng(0)
    result = stats.bootstrap(
        (d,),
        statistic,
        method=method,
        confidence_level=confidence,
        n_resamples=resamples,
        batch=1000,
        rng=rng,
    )
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    if np.isnan(low) or np.isnan(high):
        return None
    return low, high


def _exact_sign_flip(d: np.ndarray) -> float:
    """Paired permutation test: flip the signs of the differences (all of them where they are few
    enough).
    """
    rng = np.random.default_rng(0)
    result = stats.permutation_test((d,), np.mean, permutation_type="samples", batch=1000, rng=rng)
    return float(result.pvalue)


def ratio(values: Sequence[float], others: Sequence[float]) -> Metric | None:
    """Geometric mean of the paired ratios value / other, the t interval taken on logs; None where
    one is not positive.
    """
    x, y = np.asarray(values, dtype=float), np.asarray(others, dtype=float)
    if min(x.min(), y.min()) <= 0:
        return None
    logs = mean(np.log(x / y).tolist())
    return Metric(
        value=float(np.exp(logs.value)),
        low=float(np.exp(logs.low)),
        high=float(np.exp(logs.high)),
        n=logs.n,
    )


def median_difference(differences: Sequence[float]) -> Metric:
    """Median of the paired differences with its bootstrap interval; equal differences have one of
    no width.

    BCa, except where the differences around the middle are equal (whole tokens): no difference left
    out moves the median, so BCa has no acceleration to correct by, and the interval is percentile,
    for which 1,999 resamples are plenty.
    """
    d = np.asarray(differences, dtype=float)
    value = float(np.median(d))
    if np.ptp(d) == 0:
        return Metric(value=value, low=value, high=value, n=d.size)
    low, high = _median_interval(d) or (d.min(), d.max())
    return Metric(value=value, low=min(value, low), high=max(value, high), n=d.size)


def _median_interval(d: np.ndarray) -> tuple[float, float] | None:
    if not _has_flat_middle(d):
        corrected = _bca(d, np.median, 0.95)
        if corrected is not None:
            return corrected
    return _bootstrap(d, np.median, "percentile", 0.95, resamples=1999)


def _has_flat_middle(d: np.ndarray) -> bool:
    """Say whether the median stays what it is whichever value is left out."""
    middle = np.sort(d)[(d.size - 2) // 2 : d.size // 2 + 1 + d.size % 2]
    return bool(np.ptp(middle) == 0)


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
