"""Paired differences of two models on the same prompts: estimate, interval and p from one
construction.

The p is below 5% exactly where the 95% interval leaves out zero, so that interval and verdict tell
one story. `difference` expects values that were already paired by prompt id. It does not know of
the spread between training runs: seeds are a level of their own (`seed_difference`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS

from stagelift.evals.stats.estimates import is_constant

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean paired difference over n prompts with its interval, all in the unit of the values.

    `units` is what varies independently: prompts, clusters or seeds; `sd` is the spread of one of
    them. `clusters` counts clusters where prompts came in any. Of values that are -`step`, 0 or
    `step`, `moved` is the share that is not 0; both are None for other values. Planning
    (`planning.detectable`, `planning.needed`) works from these.
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


def difference(
    differences: Sequence[float],
    *,
    bound: float,
    clusters: Sequence[str] | None = None,
    confidence: float = CONFIDENCE,
) -> Difference:
    """Estimate a mean paired difference and test it against zero.

    `differences` holds one value per prompt, `bound` is the most one can be either way (1 for right
    or wrong, 0.5 for a win rate's lead over one half), `clusters` the cluster of each prompt where
    prompts come in clusters: then it is t over clusters, with k - 1 degrees of freedom. Values that
    are -bound, 0 or bound take Bonett and Price's interval, at every n; all others t. With a
    `confidence` of 0.90 the ends are one-sided 5% bounds, for a gate.
    """
    d = np.asarray(differences, dtype=float)
    if clusters is not None and len(set(clusters)) > 1:
        return _over_clusters(d, clusters, bound, confidence)
    if clusters is None and set(np.abs(d)) <= {0.0, bound}:
        return _three_valued(d, bound, confidence)
    if clusters is not None or d.size < 2 or np.ptp(d) == 0:
        return _without_spread(d, bound, confidence)
    interval = stats.ttest_1samp(d, 0).confidence_interval(confidence)
    return Difference(
        delta=float(d.mean()),
        low=max(-bound, float(interval.low)),
        high=min(bound, float(interval.high)),
        n=d.size,
        p=float(stats.ttest_1samp(d, 0).pvalue),
        sd=float(d.std(ddof=1)),
        units=d.size,
    )


def seed_difference(differences: Sequence[float]) -> Difference | None:
    """Test paired differences, one per training seed, against zero: t over seeds.

    None below two seeds, and where all are equal: they show no spread to go by.
    """
    if len(differences) < 2 or is_constant(differences):
        return None
    return difference(differences, bound=float("inf"))


def _three_valued(d: np.ndarray, step: float, confidence: float) -> Difference:
    """Add one pair to each kind of discordant pairs, then Wald (Bonett and Price 2012, Biometrical
    Journal 54:479, adjusted Wald interval for paired proportions).
    """
    up, down = int((d > 0).sum()), int((d < 0).sum())
    total = d.size + 2
    centre = (up - down) / total
    error = np.sqrt((up + down + 2) / total - centre**2) / np.sqrt(total)
    half = stats.norm.ppf(0.5 + confidence / 2) * error
    return Difference(
        delta=float(d.mean()),
        low=step * float(max(-1.0, centre - half)),
        high=step * float(min(1.0, centre + half)),
        n=d.size,
        p=float(2 * stats.norm.sf(abs(centre) / error)),
        sd=float(d.std()),
        units=d.size,
        step=step,
        moved=(up + down) / d.size,
    )


def _without_spread(d: np.ndarray, bound: float, confidence: float) -> Difference:
    """Take two pairs more, one at either bound: what moved alike may yet move otherwise."""
    more = np.append(d, [bound, -bound])
    half = stats.norm.ppf(0.5 + confidence / 2) * more.std() / np.sqrt(more.size)
    p = float(2 * stats.norm.sf(abs(more.mean()) * np.sqrt(more.size) / more.std()))
    return Difference(
        delta=float(d.mean()),
        low=max(-bound, float(more.mean() - half)),
        high=min(bound, float(more.mean() + half)),
        n=d.size,
        p=p,
        sd=float(more.std()),
        units=d.size,
    )


def _over_clusters(
    d: np.ndarray, clusters: Sequence[str], bound: float, confidence: float
) -> Difference:
    _, groups = np.unique(list(clusters), return_inverse=True)
    k = int(groups.max()) + 1
    fit = OLS(d, np.ones(d.size)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    low, high = fit.conf_int(1 - confidence)[0]
    return Difference(
        delta=float(d.mean()),
        low=max(-bound, float(low)),
        high=min(bound, float(high)),
        n=d.size,
        p=float(fit.pvalues[0]),
        sd=float(fit.bse[0]) * float(np.sqrt(k)),
        units=k,
        clusters=k,
    )
