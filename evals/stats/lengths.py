"""How lengths differ, told two ways that a few runaway responses do not decide: the ratio of
geometric means and the median difference.

Neither says that longer or shorter is better, and neither is the mean difference that a report's
verdict is of.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from stagelift.evals.records import Metric
from stagelift.evals.stats.estimates import mean


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
