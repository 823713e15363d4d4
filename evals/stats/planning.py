"""What it takes to show a difference: the minimum detectable effect and the prompts needed.

Both are of the verdict: of the test behind a difference, at the level that its family leaves it
(`families.levels`), with 80% power. They plan the next comparison; they say nothing of how sure a
finished one is, which is what its interval is for.
"""

from math import ceil

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.power import TTestPower

from stagelift.evals.stats.difference import Difference

ALPHA = 0.05
POWER = 0.80


def detectable(difference: Difference, level: float = ALPHA) -> float | None:
    """Return the smallest true difference that a test at `level` shows with 80% power, with as many
    prompts (clusters, seeds) that vary as these do; None where none that can be is large enough.
    """
    if difference.step is not None and difference.moved is not None:
        share = _detectable_share(difference.n, difference.moved, level)
        return None if share is None else difference.step * share
    if difference.units < 2:
        return None
    effect = TTestPower().solve_power(nobs=difference.units, alpha=level, power=POWER)
    return float(effect) * difference.sd


def needed(difference: Difference, level: float = ALPHA) -> int | None:
    """Return how many prompts would show this difference with 80% power in a test at `level`; None
    where it is zero, and where prompts come in clusters or seeds: more of them says nothing.

    The answer takes the difference seen for the true one, so it is as uncertain as that is.
    """
    if difference.clusters is not None or abs(difference.delta) < 1e-6 * difference.sd:
        return None
    if difference.sd == 0:
        return None
    effect = min(abs(difference.delta) / difference.sd, 5.0)
    prompts: float = TTestPower().solve_power(effect_size=effect, alpha=level, power=POWER)
    return ceil(prompts)


def needed_for_margin(margin: float, sd: float) -> int | None:
    """How many prompts would show with 80% power that nothing is worse by `margin`, were there no
    difference at all.

    One-sided at 5%; `sd` is of the paired differences, in the margin's unit. None without a spread.
    """
    if sd == 0:
        return None
    effect = min(margin / sd, 5.0)
    prompts: float = TTestPower().solve_power(
        effect_size=effect, alpha=ALPHA, power=POWER, alternative="larger"
    )
    return ceil(prompts)


def _detectable_share(n: int, moved: float, level: float) -> float | None:
    """Solve for the difference in shares at which the test has its power."""

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
