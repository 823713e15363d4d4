"""The mean of skewed values: the wider of t and Hall's transformed t at either end.

Lengths have tails: t's interval is too short on the tail's side and too long on the other. Hall
(1992, JRSS B 54:221) straightens t by the skewness seen, in closed form, so that interval and p
agree at every level. No method can know a tail that the sample has nothing of.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

# a sample's skewness falls short of a heavy tail's: with half as much again coverage is in
# .93-.97 for log-normal tails (tests/calibration.py)
_SHORTFALL = 1.5


class SkewedMean(NamedTuple):
    """A mean with the ends of its interval, and the p of a test against zero."""

    value: float
    low: float
    high: float
    p: float


def skewed_mean(x: np.ndarray, confidence: float) -> SkewedMean:
    """Estimate the mean of two or more values that differ."""
    n = x.size
    value, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(n))
    bend = _bend(x)
    critical = float(stats.t.ppf(0.5 + confidence / 2, n - 1))
    high = value - error * min(-critical, _bent_back(-critical, bend))
    low = value - error * max(critical, _bent_back(critical, bend))
    t = value / error
    # both tests must agree that, and in which direction, the mean is not zero
    least = min(t, _bent(t, bend)) if t > 0 else -max(t, _bent(t, bend))
    return SkewedMean(value, low, high, min(1.0, 2 * float(stats.t.sf(least, n - 1))))


def _bend(x: np.ndarray) -> float:
    """Return the skewness over sqrt(n), the size of what t leaves out; 0 for the last digits that
    symmetric values leave.
    """
    if x.size < 3:
        return 0.0
    bend = _SHORTFALL * float(stats.skew(x, bias=False)) / float(np.sqrt(x.size))
    return 0.0 if abs(bend) < 1e-6 else bend


def _bent(t: float, bend: float) -> float:
    """Hall's transformation, which grows with t for every skewness."""
    return t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6


def _bent_back(h: float, bend: float) -> float:
    if bend == 0:
        return h
    return float(3 / bend * (np.cbrt(1 + bend * (h - bend / 6)) - 1))
