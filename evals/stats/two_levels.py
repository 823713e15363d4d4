"""Two recipes compared at two levels: training seeds, and problems within them.

A recipe trained with another seed is another model. Over one checkpoint a side an interval says
what other problems would do; here it also says what other seeds would. The seeds of the two sides
are independent draws, also where they have the same numbers, and are taken to spread alike. It does
not know what other data, or another machine, would change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from stagelift.evals.stats.difference import CONFIDENCE, difference

ALPHA = 0.05
POWER = 0.80
# beyond so many a side nobody trains
MOST_SEEDS = 100
# of the spread over seeds, where power is an average over what it may come out as
_QUANTILES = 400


@dataclass(frozen=True)
class Parts:
    """What makes the means of two recipes differ on n problems, as standard deviations in the unit
    of the values.

    `training` is of the mean of one training over other seeds, on these problems. `within` is the
    part of it that averages out over problems: seeds also move single ones. `problems` is of the
    difference over other problems, were the seeds without number. `units` is what varies
    independently among the problems: they, or clusters of them.
    """

    training: float
    within: float
    problems: float
    units: int


@dataclass(frozen=True)
class RecipeDifference:
    """Mean difference of candidate minus baseline over seeds and n problems with its interval.

    `seeds` counts them for candidate and baseline. With one each there are no `parts`: the interval
    is of the two checkpoints.
    """

    delta: float
    low: float
    high: float
    n: int
    seeds: tuple[int, int]
    parts: Parts | None


def recipe_difference(
    candidate: np.ndarray,
    baseline: np.ndarray,
    *,
    bound: float,
    clusters: Sequence[str] | None = None,
    confidence: float = CONFIDENCE,
) -> RecipeDifference:
    """Compare values of shape (seeds, problems), the problems in the same order on both sides.

    `bound` is the most that one difference can be, `clusters` names the cluster of each problem.
    With a `confidence` of 0.90 the ends are one-sided 5% bounds.

    An end's distance from the difference is the root of two squares: the distance over problems,
    without the part that seeds make within them, and that of t over seeds, pooled over both sides
    (Howe 1974, JASA 69:789; Zou and Donner 2008, Statistics in Medicine 27:1693). It is never less
    than that over problems alone.
    """
    gaps = candidate.mean(axis=0) - baseline.mean(axis=0)
    over_problems = difference(gaps.tolist(), bound=bound, clusters=clusters, confidence=confidence)
    seeds = len(candidate), len(baseline)
    parts = _parts(candidate, baseline, clusters)
    below, above = over_problems.delta - over_problems.low, over_problems.high - over_problems.delta
    if parts is not None:
        over_seeds = np.array(_over_seeds(parts, seeds, confidence))
        below = float(_joined(below, over_seeds, parts, seeds))
        above = float(_joined(above, over_seeds, parts, seeds))
    return RecipeDifference(
        delta=over_problems.delta,
        low=max(-bound, over_problems.delta - below),
        high=min(bound, over_problems.delta + above),
        n=over_problems.n,
        seeds=seeds,
        parts=parts,
    )


def two_sided_p(
    candidate: np.ndarray,
    baseline: np.ndarray,
    *,
    bound: float,
    clusters: Sequence[str] | None = None,
) -> float:
    """Return the p of no difference, for the same values: the interval with a confidence of 1 - p
    is the one that ends at zero.
    """

    def beyond_zero(p: float) -> float:
        found = recipe_difference(
            candidate, baseline, bound=bound, clusters=clusters, confidence=1 - p
        )
        return found.low if found.delta > 0 else -found.high

    least, most = 1e-9, 1 - 1e-9
    if beyond_zero(least) >= 0:
        return least
    if beyond_zero(most) <= 0:
        return 1.0
    return float(brentq(beyond_zero, least, most, xtol=1e-9))


def power(parts: Parts, seeds: tuple[int, int], distance: float, level: float = ALPHA) -> float:
    """Return how often a one-sided bound at `level` lies within `distance` of the true difference.

    It is the power to show that nothing is worse by a margin of this size, where nothing is worse,
    and the power to show a fall of this size. What the spread over seeds may come out as is
    averaged over.
    """
    error = hypot(parts.problems, parts.training * _factor(seeds))
    if error == 0:
        return 1.0
    freedom = sum(seeds) - 2
    chances = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    seen = np.sqrt(stats.chi2.ppf(chances, freedom) / freedom)
    student = float(stats.t.isf(level, parts.units - 1))
    over_problems = student * hypot(parts.problems, parts.within * _factor(seeds))
    over_seeds = seen * _over_seeds(parts, seeds, 1 - 2 * level)
    reaches = _joined(over_problems, over_seeds, parts, seeds)
    return float(stats.norm.cdf((distance - reaches) / error).mean())


def seed_noise(parts: Parts, seeds: tuple[int, int]) -> float:
    """Return how much two trainings that differ in their seed alone may differ in 19 of 20 cases
    (t of the two sides' degrees of freedom); where that is one, how much two were seen to.
    """
    freedom = sum(seeds) - 2
    student = 1.0 if freedom == 1 else float(stats.t.ppf(0.975, freedom))
    return student * sqrt(2) * parts.training


def seeds_needed(parts: Parts, margin: float, level: float = ALPHA) -> int | None:
    """Return how many seeds a side would show with 80% power that nothing is worse by `margin`,
    were there no difference at all; or, at `level`, a fall by it.

    None where 100 would not: seeds differ too much for the margin, or the problems are too few.
    """
    enough = (k for k in range(2, MOST_SEEDS + 1) if power(parts, (k, k), margin, level) >= POWER)
    return next(enough, None)


def detectable(parts: Parts, seeds: tuple[int, int]) -> float:
    """Return the smallest true fall that is shown with 80% power."""
    if power(parts, seeds, 0.0) >= POWER:
        return 0.0
    largest = 1.0
    while power(parts, seeds, largest) < POWER:
        largest *= 2
    return float(brentq(lambda fall: power(parts, seeds, fall) - POWER, 0, largest))


def _joined(
    over_problems: float, over_seeds: np.ndarray, parts: Parts, seeds: tuple[int, int]
) -> np.ndarray:
    """Join the distances of an end over problems and over seeds."""
    by_seeds = parts.within * _factor(seeds)
    whole = hypot(parts.problems, by_seeds)
    # of the distance over problems, what no number of seeds takes away, and the rest
    kept, rest = (1.0, 0.0) if whole == 0 else (parts.problems / whole, by_seeds / whole)
    joined: np.ndarray = np.hypot(
        over_problems * kept, np.maximum(over_seeds, over_problems * rest)
    )
    return joined


def _over_seeds(parts: Parts, seeds: tuple[int, int], confidence: float) -> float:
    """Return the distance from the difference to either end over seeds alone."""
    student = float(stats.t.ppf(0.5 + confidence / 2, sum(seeds) - 2))
    return student * parts.training * _factor(seeds)


def _factor(seeds: tuple[int, int]) -> float:
    """Return how many times the spread of a training's mean the difference of the means has."""
    return sqrt(1 / seeds[0] + 1 / seeds[1])


def _parts(
    candidate: np.ndarray, baseline: np.ndarray, clusters: Sequence[str] | None
) -> Parts | None:
    """Split the spread by analysis of variance, seeds crossed with problems (Brennan 2001,
    Generalizability Theory); None where neither side has two seeds.
    """
    sides = [candidate, baseline]
    freedom = sum(len(side) - 1 for side in sides)
    if freedom == 0:
        return None
    by_seed = [side.mean(axis=1) for side in sides]
    training = sum(float(((means - means.mean()) ** 2).sum()) for means in by_seed) / freedom
    unexplained = np.concatenate([_unexplained(side) for side in sides])
    units = _numbered(clusters, candidate.shape[1])
    within = float(_variances_of_means(unexplained, units).sum()) / freedom
    gaps = candidate.mean(axis=0) - baseline.mean(axis=0)
    over_problems = float(_variances_of_means(gaps[np.newaxis] - gaps.mean(), units)[0])
    by_seeds = within * _factor((len(candidate), len(baseline))) ** 2
    return Parts(
        training=sqrt(training),
        within=sqrt(within),
        problems=sqrt(max(0.0, over_problems - by_seeds)),
        units=int(units.max()) + 1,
    )


def _unexplained(side: np.ndarray) -> np.ndarray:
    """Return what is left of values when their seed's and their problem's mean are taken away."""
    by_seed, by_problem = side.mean(axis=1, keepdims=True), side.mean(axis=0, keepdims=True)
    left: np.ndarray = side - by_seed - by_problem + side.mean()
    return left


def _numbered(clusters: Sequence[str] | None, problems: int) -> np.ndarray:
    """Number what varies independently: the problems, or their clusters."""
    if clusters is None or len(set(clusters)) < 2:
        return np.arange(problems)
    numbers: np.ndarray = np.unique(list(clusters), return_inverse=True)[1]
    return numbers


def _variances_of_means(deviations: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the variance of the mean of each row, whose units vary independently."""
    count = int(units.max()) + 1
    if count < 2:
        return np.zeros(len(deviations))
    sums = np.stack([np.bincount(units, weights=row) for row in deviations])
    variances: np.ndarray = (sums**2).sum(axis=1) / units.size**2 * count / (count - 1)
    return variances
