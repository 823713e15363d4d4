"""The mean of values without bounds: t, and where they are skewed the wider of t and Hall's
transformed t at either end.

Lengths have tails: t's interval is too short on the tail's side and too long on the other. Hall
(1992, JRSS B 54:221) straightens t by the skewness seen, in closed form, so that interval and p
agree at every level. No method can know a tail that the sample has nothing of.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

# standard errors of the skewness of normal values, sqrt(6 / n): up to here values may be symmetric
_CHANCE = 1.0
# a sample's skewness falls short of a heavy tail's: with half as much again, coverage is nearest
# to what is said for log-normal tails (tests/calibration.py)
_SHORTFALL = 1.5


class SkewedMean(NamedTuple):
    """A mean with the ends of its interval, the p of a test against zero, and the skewness that was
    reckoned with, 0 where t was enough.
    """

    value: float
    low: float
    high: float
    p: float
    skewness: float


def skewed_mean(x: np.ndarray, confidence: float) -> SkewedMean:
    """Estimate the mean of two or more values that differ."""
    n = x.size
    value, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(n))
    skewness = _reckoned(x)
    below, above = critical(skewness, n, 1 - confidence)
    t = value / error
    # both tests must agree that, and in which direction, the mean is not zero
    bent = _bent(t, skewness / float(np.sqrt(n)))
    least = min(t, bent) if t > 0 else -max(t, bent)
    p = min(1.0, 2 * float(stats.t.sf(least, n - 1)))
    return SkewedMean(value, value - below * error, value + above * error, p, skewness)


def critical(skewness: float, n: int, level: float) -> tuple[float, float]:
    """Return how many standard errors an interval of 1 - `level` reaches below and above the mean
    of n values.
    """
    t = float(stats.t.isf(level / 2, n - 1))
    bend = skewness / float(np.sqrt(n))
    if bend == 0:
        return t, t
    return max(t, _bent_back(t, bend)), max(t, -_bent_back(-t, bend))


def _reckoned(x: np.ndarray) -> float:
    if x.size < 4:
        return 0.0
    seen = float(stats.skew(x, bias=False))
    return _SHORTFALL * seen if abs(seen) > _CHANCE * np.sqrt(6 / x.size) else 0.0


def _bent(t: float, bend: float) -> float:
    """Hall's transformation, which grows with t for every skewness."""
    return t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6


def _bent_back(h: float, bend: float) -> float:
    return float(3 / bend * (np.cbrt(1 + bend * (h - bend / 6)) - 1))
