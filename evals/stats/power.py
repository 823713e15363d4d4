"""A difference with its interval, and what it takes to show one: minimum detectable effect and
prompts needed.

Both are for a paired two-sided t test at 5% with 80% power. They plan the next comparison; they say
nothing of how sure a finished one is, which is what its interval is for. An exact test with few
discordant pairs needs somewhat more.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestPower

ALPHA = 0.05
POWER = 0.80
_MDE_FACTOR = float(stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(POWER))


@dataclass(frozen=True)
class Difference:
    """Mean paired difference over n prompts with its 95% interval, all in the unit of the values.

    `mde` is the smallest difference this n could be expected to show, `needed` the prompts that
    would show `delta`. `p`, `mde` and `needed` are None where every pair is identical, the last two
    also where all prompts moved alike.
    """

    delta: float
    low: float
    high: float
    n: int
    p: float | None
    mde: float | None
    needed: int | None


def mde(sd: float, n: int) -> float:
    """Minimum detectable effect, in the unit of `sd` (the standard deviation of the paired
    differences).
    """
    return _MDE_FACTOR * sd / float(np.sqrt(n))


def small_sample_mde(sd: float, n: int) -> float:
    """Minimum detectable effect of a paired t test over a handful of values, such as training
    seeds, in the unit of `sd`.
    """
    return float(TTestPower().solve_power(nobs=n, alpha=ALPHA, power=POWER)) * sd


def prompts_needed(delta: float, sd: float) -> int | None:
    """How many prompts would show a mean paired difference of `delta`; None where it is zero or
    there is no spread.

    The answer takes the observed difference for the true one, so it is as uncertain as that
    difference is.
    """
    # a rounding error, or as good as zero: more than 10^12 prompts
    if sd == 0 or abs(delta) / sd < 1e-6:
        return None
    # three prompts; the solver finds no root much beyond
    effect = min(abs(delta) / sd, 5.0)
    needed: float = TTestPower().solve_power(effect_size=effect, alpha=ALPHA, power=POWER)
    return ceil(needed)


def prompts_for_margin(margin: float, sd: float) -> int | None:
    """How many prompts would show with 80% power that nothing is worse by `margin`, were there no
    difference at all.

    One-sided at 5%; `sd` is of the paired differences, in the margin's unit. None without a spread.
    """
    if sd == 0:
        return None
    effect = min(margin / sd, 5.0)
    needed: float = TTestPower().solve_power(
        effect_size=effect, alpha=ALPHA, power=POWER, alternative="larger"
    )
    return ceil(needed)


def spread(difference: Difference) -> float:
    """Return the standard deviation per prompt behind a difference; 0 where every pair is
    identical.
    """
    if difference.mde is None:
        return 0.0
    return difference.mde * float(np.sqrt(difference.n)) / _MDE_FACTOR


def one_sided_bounds(difference: Difference) -> tuple[float, float]:
    """Return the lower and upper one-sided 5% bounds of a difference that has a standard error of
    its own.
    """
    n = difference.n
    half = float(stats.t.ppf(1 - ALPHA, n - 1)) * spread(difference) / float(np.sqrt(n))
    return difference.delta - half, difference.delta + half
