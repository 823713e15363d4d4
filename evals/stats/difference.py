"""Paired differences of two models on the same prompts: estimate, interval and p from one
construction.

The p is below 5% exactly where the 95% interval leaves out zero, so that interval and verdict tell
one story. `difference` expects values that were already paired by prompt id. It does not know of
the spread between training runs: seeds are a level of their own (`seed_difference`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from stagelift.evals.stats.estimates import is_constant
from stagelift.evals.stats.skewness import skewed_mean

CONFIDENCE = 0.95
# of one pair that differs by the bound: what the sample has none of may yet come
_UNSEEN = 0.25
# of the bound squared: a mean square above it belongs to values that reach towards the bounds
_FAR = 0.1
# skewness over sqrt(n), the size of what t leaves out (Hall 1992): up to here t keeps its coverage,
# and somewhat longer where values reach towards the bounds (AlpacaEval's published files, drawn
# from: .93 or more up to .3)
_SKEWED, _SKEWED_AT_BOUNDS = 0.17, 0.22


@dataclass(frozen=True)
class Difference:
    """Mean paired difference over n prompts with its interval, all in the unit of the values.

    `units` is what varies independently: prompts, clusters or seeds; `sd` is the spread of one of
    them. `clusters` counts clusters where prompts came in any. Of values that are -`step`, 0 or
    `step`, `moved` is the share that is not 0; both are None for other values. `skewness` is what
    the test reckoned with, 0 where it is plain t. Planning (`planning.detectable`,
    `planning.needed`) works from these.
    """

    delta: float
    low: float
    high: float
    n: int
    p: float
    sd: float
    units: int
    clusters: int | None = None
    step: float | None = None
    moved: float | None = None
    skewness: float = 0.0


def difference(
    differences: Sequence[float],
    *,
    bound: float,
    clusters: Sequence[str] | None = None,
    confidence: float = CONFIDENCE,
) -> Difference:
    """Estimate a mean paired difference and test it against zero.

    `differences` holds one value per prompt, `bound` is the most one can be either way (1 for right
    or wrong, 0.5 for a win rate's lead over one half, infinity where nothing is known), `clusters`
    the cluster of each prompt where prompts come in clusters: these are the units then, with t of
    k - 1 degrees of freedom. With a `confidence` of 0.90 the ends are one-sided 5% bounds, for a
    gate.

    Values that are -bound, 0 or bound take Bonett and Price's interval, at every n. So do, with
    pairs of about their own size added, values of which most are zero or all are equal. Others take
    t: where they are skewed and reach towards the bounds Bonett and Price's instead, and where they
    do not reach so far, as lengths, the widest of these two and Hall's (`skewness`).

    An interval is cut off at the bound, which leaves its side of zero, and so the verdict, as it
    was. It is not cut off at what the value before leaves: of 60 prompts 3% were right, of all it
    may be 11%, and these can fall by five points. What was seen before is an estimate, too.
    """
    d = np.asarray(differences, dtype=float)
    if np.isfinite(bound):
        # sums of weights leave last digits where there is nothing
        d = np.round(d / bound, 12) * bound
    if clusters is not None and len(set(clusters)) < d.size:
        return _over_clusters(d, clusters, bound, confidence)
    found = _over_prompts(d, bound, confidence)
    return found if clusters is None else replace(found, clusters=d.size)


def of_counts(
    up: np.ndarray | int, down: np.ndarray | int, n: int, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return low, high and p of the difference of two shares: of n pairs, `up` were right on one
    side only and `down` on the other only (arrays of equal shape).

    One pair is added to each kind of discordant pairs, then it is Wald's (Bonett and Price 2012,
    Biometrical Journal 54:479).
    """
    centre = (np.asarray(up) - np.asarray(down)) / (n + 2)
    error = np.sqrt(((np.asarray(up) + np.asarray(down) + 2) / (n + 2) - centre**2) / (n + 2))
    half = stats.norm.ppf(0.5 + confidence / 2) * error
    p = 2 * stats.norm.sf(np.abs(centre) / error)
    return np.maximum(-1.0, centre - half), np.minimum(1.0, centre + half), p


def seed_difference(differences: Sequence[float]) -> Difference | None:
    """Test paired differences, one per training seed, against zero: t over seeds.

    None below two seeds, and where all are equal: they show no spread to go by.
    """
    if len(differences) < 2 or is_constant(differences):
        return None
    return _by_t(np.asarray(differences, dtype=float), float("inf"), CONFIDENCE)


def _over_prompts(d: np.ndarray, bound: float, confidence: float) -> Difference:
    if np.isfinite(bound) and set(np.abs(d)) <= {0.0, bound}:
        return _three_valued(d, bound, confidence)
    if _is_sparse(d):
        return _adjusted(d, bound, confidence, d.size - 1)
    reaches_bounds = d @ d > _FAR * d.size * bound**2
    most = _SKEWED_AT_BOUNDS if reaches_bounds else _SKEWED
    is_skewed = abs(stats.skew(d)) > most * np.sqrt(d.size)
    if reaches_bounds and not is_skewed:
        return _by_t(d, bound, confidence)
    if not is_skewed or np.isinf(bound):
        return _skewed(d, bound, confidence)
    adjusted = _adjusted(d, bound, confidence, d.size - 1)
    return adjusted if reaches_bounds else _wider(_skewed(d, bound, confidence), adjusted)


def _over_clusters(
    d: np.ndarray, clusters: Sequence[str], bound: float, confidence: float
) -> Difference:
    """Take each cluster for one value: its sum of deviations from the mean, over the mean size.

    Their t interval is that of the least squares fit of a constant with errors by cluster (CR1) and
    k - 1 degrees of freedom.
    """
    _, groups, sizes = np.unique(list(clusters), return_inverse=True, return_counts=True)
    sums = np.bincount(groups, weights=d)
    values = d.mean() + (sums - sizes * d.mean()) / sizes.mean()
    if _is_sparse(sums) or is_constant(values):
        # a large cluster counts for more
        most = bound * float(sizes.max() / sizes.mean())
        found = _adjusted(values, most, confidence, sizes.size - 1)
    else:
        found = _by_t(values, bound, confidence)
    low, high = max(-bound, found.low), min(bound, found.high)
    return replace(found, low=low, high=high, n=d.size, clusters=sizes.size)


def _is_sparse(d: np.ndarray) -> bool:
    """Say whether most values are zero, or show no spread to go by."""
    return d.size < 2 or is_constant(d) or bool(2 * np.count_nonzero(d) < d.size)


def _skewed(d: np.ndarray, bound: float, confidence: float) -> Difference:
    mean = skewed_mean(d, confidence)
    return Difference(
        delta=mean.value,
        low=max(-bound, mean.low),
        high=min(bound, mean.high),
        n=d.size,
        p=mean.p,
        sd=float(d.std(ddof=1)),
        units=d.size,
        skewness=mean.skewness,
    )


def _wider(one: Difference, other: Difference) -> Difference:
    low, high = min(one.low, other.low), max(one.high, other.high)
    return replace(one, low=low, high=high, p=max(one.p, other.p), sd=max(one.sd, other.sd))


def _by_t(d: np.ndarray, bound: float, confidence: float) -> Difference:
    test = stats.ttest_1samp(d, 0)
    low, high = test.confidence_interval(confidence)
    return Difference(
        delta=float(d.mean()),
        low=max(-bound, float(low)),
        high=min(bound, float(high)),
        n=d.size,
        p=float(test.pvalue),
        sd=float(d.std(ddof=1)),
        units=d.size,
    )


def _three_valued(d: np.ndarray, step: float, confidence: float) -> Difference:
    up, down = int((d > 0).sum()), int((d < 0).sum())
    low, high, p = of_counts(up, down, d.size, confidence)
    return Difference(
        delta=float(d.mean()),
        low=step * float(low),
        high=step * float(high),
        n=d.size,
        p=float(p),
        sd=float(d.std()),
        units=d.size,
        step=step,
        moved=(up + down) / d.size,
    )


def _adjusted(d: np.ndarray, bound: float, confidence: float, degrees: float) -> Difference:
    """Add a pair on either side of zero, then t: Bonett and Price's interval for values of any
    size.

    The values added are of the size that those seen have, the larger counting for more, and of the
    bound's where there is little to tell it by: for right and wrong they are -1 and 1.
    """
    # no bound: nothing larger than what was seen, or than one unit
    most = bound if np.isfinite(bound) else float(np.abs(d).max()) or 1.0
    squares, fourths = d**2, d**4
    size = np.sqrt((fourths.sum() + _UNSEEN * most**4) / (squares.sum() + _UNSEEN * most**2))
    more = np.append(d, [size, -size])
    centre, sd = float(more.mean()), float(more.std())
    error = sd / float(np.sqrt(more.size))
    # a single unit has no degree of freedom
    degrees = max(1.0, degrees)
    half = float(stats.t.ppf(0.5 + confidence / 2, degrees)) * error
    return Difference(
        delta=float(d.mean()),
        low=max(-bound, centre - half),
        high=min(bound, centre + half),
        n=d.size,
        p=float(2 * stats.t.sf(abs(centre) / error, degrees)),
        sd=sd,
        units=d.size,
    )
