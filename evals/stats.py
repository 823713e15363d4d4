"""Intervals and paired tests: thin calls into scipy and statsmodels, chosen as the statistics page says.

The unit of analysis is the prompt. Nothing here knows what is being measured; `difference` expects values that were
already paired by prompt id. It does not measure the spread between training runs: that needs several seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from evals.records import Metric

FEW_DISCORDANT_PAIRS = 25
FEW_PROMPTS = 30
_MDE_FACTOR = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.80))


@dataclass(frozen=True)
class Difference:
    """Mean paired difference with its 95% interval; `p` and `mde` are None where every pair is identical."""

    delta: float
    low: float
    high: float
    n: int
    p: float | None
    mde: float | None


def proportion(successes: int, n: int) -> Metric:
    """Share of successes with its Wilson 95% interval."""
    interval = stats.binomtest(successes, n).proportion_ci(method="wilson")
    return Metric(value=successes / n, low=float(interval.low), high=float(interval.high), n=n)


def mean(values: Sequence[float]) -> Metric:
    """Mean with its t interval; a single value or equal values have an interval of no width."""
    x = np.asarray(values, dtype=float)
    if x.size < 2 or np.ptp(x) == 0:
        return Metric(value=float(x.mean()), low=float(x.mean()), high=float(x.mean()), n=x.size)
    interval = stats.ttest_1samp(x, 0).confidence_interval()
    return Metric(value=float(x.mean()), low=float(interval.low), high=float(interval.high), n=x.size)


def quantile(values: Sequence[float], q: float) -> Metric:
    """Sample quantile with its exact order-statistic interval (`scipy.stats.quantile_test`, Conover).

    Where the sample is too small for 95% coverage on a side, that side is the smallest or largest value seen.
    """
    x = np.asarray(values, dtype=float)
    interval = stats.quantile_test(x, p=q).confidence_interval()
    low, high = (float(x.min()) if np.isnan(interval.low) else float(interval.low)), float(interval.high)
    return Metric(value=float(np.quantile(x, q)), low=low, high=float(x.max()) if np.isnan(high) else high, n=x.size)


def difference(differences: Sequence[float], *, binary: bool = False, bound: float | None = None) -> Difference:
    """Test a paired difference against zero.

    `differences` holds one value per prompt. The t test decides, except where it cannot be trusted: with fewer than 30
    prompts, or (`binary`, values in {-1, 0, 1}) fewer than 25 discordant pairs, the interval is BCa and a binary p is
    exact McNemar. `bound` is the largest size a difference can have, where there is one (1 for binary values).
    """
    d = np.asarray(differences, dtype=float)
    if not d.any():
        return Difference(0.0, 0.0, 0.0, d.size, None, None)
    if np.ptp(d) == 0:
        return _constant(d, 1.0 if binary else bound)
    mde = _MDE_FACTOR * float(d.std(ddof=1)) / float(np.sqrt(d.size))
    discordant = int(np.count_nonzero(d))
    if d.size >= FEW_PROMPTS and not (binary and discordant < FEW_DISCORDANT_PAIRS):
        test = stats.ttest_1samp(d, 0)
        interval = test.confidence_interval()
        return Difference(float(d.mean()), float(interval.low), float(interval.high), d.size, float(test.pvalue), mde)
    low, high = _bca(d)
    p = stats.binomtest(int((d > 0).sum()), discordant).pvalue if binary else _exact_sign_flip(d)
    return Difference(float(d.mean()), low, high, d.size, float(p), mde)


def _constant(d: np.ndarray, bound: float | None) -> Difference:
    """Every prompt moved by the same amount, so there is no spread to estimate from: the sign test decides.

    The interval comes from the share of prompts that may yet move otherwise (Wilson), at worst by the whole bound.
    """
    value, share = float(d[0]), proportion(d.size, d.size).low
    worst = value * share - np.copysign(1 - share, value) * (bound if bound is not None else abs(value))
    p = float(stats.binomtest(d.size, d.size).pvalue)
    return Difference(value, min(value, float(worst)), max(value, float(worst)), d.size, p, None)


def _bca(d: np.ndarray) -> tuple[float, float]:
    """BCa bootstrap interval of the mean; where it degenerates, the range of the values."""
    result = stats.bootstrap((d,), np.mean, method="BCa", rng=np.random.default_rng(0), n_resamples=9999)
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    return (float(d.min()), float(d.max())) if np.isnan(low) or np.isnan(high) else (low, high)


def _exact_sign_flip(d: np.ndarray) -> float:
    """Paired permutation test: flip the signs of the differences (all of them where they are few enough)."""
    result = stats.permutation_test((d,), np.mean, permutation_type="samples", rng=np.random.default_rng(0))
    return float(result.pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm-adjust the p values that exist; None (identical pairs) stays None and does not count in the family."""
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(multipletests(known, method="holm")[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def sign_test(leads: Sequence[float]) -> float | None:
    """Exact two-sided sign test over the values that are not zero; None where there are none."""
    ahead, decided = sum(lead > 0 for lead in leads), sum(lead != 0 for lead in leads)
    return float(stats.binomtest(ahead, decided).pvalue) if decided else None
