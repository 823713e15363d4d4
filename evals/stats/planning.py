"""What it takes to show a difference: the minimum detectable effect and the prompts needed.

Both are of the verdict: of the test behind a difference, at the level that its family leaves it
(`families.levels`), with 80% power. They plan the next comparison; they say nothing of how sure a
finished one is, which is what its interval is for.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from math import ceil
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.power import TTestPower

from stagelift.evals.stats.difference import Difference
from stagelift.evals.stats.skewness import critical

ALPHA = 0.05
POWER = 0.80
_MANY = 100_000


# the report of a run and the cards of its stages ask the same
@lru_cache(maxsize=1_000)
def detectable(difference: Difference, level: float = ALPHA) -> float | None:
    """Return the smallest true difference that a test at `level` shows with 80% power, with as many
    prompts (clusters, seeds) that vary as these do; None where none that can be is large enough.
    """
    if difference.step is not None and difference.moved is not None:
        share = detectable_share(difference.n, difference.moved, level)
        return None if share is None else difference.step * share
    if difference.units < 2:
        return None
    if difference.skewness != 0:
        return max(_shown(difference, difference.units, level))
    return _effect(difference.units, level) * difference.sd


@lru_cache(maxsize=1_000)
def needed(difference: Difference, level: float = ALPHA) -> int | None:
    """Return how many prompts would show this difference with 80% power in a test at `level`; None
    where it is zero, and where prompts come in clusters or seeds: more of them says nothing.

    The answer takes the difference seen for the true one, so it is as uncertain as that is.
    """
    size, sd = abs(difference.delta), difference.sd
    if difference.clusters is not None or size <= 1e-6 * sd:
        return None
    # three prompts; the solver finds no root much beyond
    effect = 5.0 if size > 5 * sd else size / sd
    guess = ceil(_solved(effect_size=effect, alpha=level))
    if difference.step is not None and difference.moved is not None:
        share, moved = size / difference.step, difference.moved
        return _fewest(lambda n: power_of_shares(share, moved, n, level) >= POWER, guess)
    if difference.skewness != 0:
        side = 0 if difference.delta > 0 else 1
        return _fewest(lambda n: _shown(difference, n, level)[side] <= size, guess)
    return guess


def needed_for_margin(margin: float, sd: float, level: float = ALPHA) -> int | None:
    """How many prompts would show with 80% power that nothing is worse by `margin`, were there no
    difference at all.

    One-sided at `level`; `sd` is of the paired differences, in the margin's unit. None without a
    spread.
    """
    if sd == 0:
        return None
    effect = min(margin / sd, 5.0)
    return ceil(_solved(effect_size=effect, alpha=level, alternative="larger"))


# a report asks for the same few n and levels again and again
@cache
def _effect(n: int, level: float) -> float:
    return _solved(nobs=n, alpha=level)


def _solved(**known: Any) -> float:
    """Solve for what is left of a t test's effect, n and level; statsmodels gives a number or an
    array of one.
    """
    return float(np.squeeze(TTestPower().solve_power(power=POWER, **known)))


def _shown(difference: Difference, n: int, level: float) -> tuple[float, float]:
    """Return the means above and below zero that n skewed values show, with the normal
    approximation of noncentral t (Johnson and Welch 1940): one side asks for more than t does.
    """
    asked, degrees = np.array(critical(difference.skewness, n, level)), n - 1
    beyond = float(stats.norm.ppf(POWER)) * np.sqrt(1 + asked**2 / (2 * degrees))
    above, below = difference.sd * (asked * (1 - 1 / (4 * degrees)) + beyond) / np.sqrt(n)
    return float(above), float(below)


def _fewest(are_enough: Callable[[int], bool], guess: int) -> int:
    """Search for the number of prompts from which on they are enough, near a guess; of more than
    can be asked the guess is as good.
    """
    if guess > _MANY:
        return guess
    few, many = 2, guess + 2
    while not are_enough(many):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if are_enough(middle) else (middle, many)
    return many


@cache
def detectable_share(n: int, moved: float, level: float = ALPHA) -> float | None:
    """Return the smallest difference in shares that a test at `level` shows with 80% power, where
    that share of n pairs differs; None where none does.
    """

    def lacking(share: float) -> float:
        return power_of_shares(share, max(moved, share), n, level) - POWER

    if lacking(1.0) < 0:
        return None
    return float(brentq(lacking, 1e-9, 1.0, xtol=1e-6))


def power_of_shares(share: float, moved: float, n: int, level: float) -> float:
    """Return the exact power of Bonett and Price's test at `level`.

    `share` is the true difference, `moved` the share of pairs that differ, of n.
    """
    critical = float(stats.norm.isf(level / 2)) ** 2
    few, many = stats.binom.interval(1 - 1e-9, n, moved)
    discordant = np.arange(int(few), int(many) + 1)
    # |up - down| beyond which the adjusted Wald statistic is
    least = np.sqrt(critical * (discordant + 2) / (1 + critical / (n + 2)))
    upward = 0.5 if moved == 0 else (1 + share / moved) / 2
    rejects = stats.binom.sf(np.floor((discordant + least) / 2), discordant, upward)
    rejects += stats.binom.cdf(np.ceil((discordant - least) / 2) - 1, discordant, upward)
    return float(stats.binom.pmf(discordant, n, moved) @ rejects)
