"""One value with its interval: thin calls into scipy and statsmodels, as the statistics page says.

The unit of analysis is the prompt, or the cluster that prompts come in. Nothing here knows what is
being measured. It does not measure the spread between training runs: that needs several seeds,
which are a level of their own (`over_seeds`). Differences are in `difference`, planning is in
`planning`.
"""

from collections.abc import Sequence
from math import comb
from statistics import fmean

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa, to_table
from statsmodels.stats.proportion import proportion_confint

from stagelift.evals.records import Metric
from stagelift.evals.stats.skewness import skewed_mean


def proportion(successes: int, n: int) -> Metric:
    """Share of successes with its Wilson 95% interval."""
    interval = stats.binomtest(successes, n).proportion_ci(method="wilson")
    return Metric(value=successes / n, low=float(interval.low), high=float(interval.high), n=n)


def mean(values: Sequence[float], clusters: Sequence[str] | None = None) -> Metric:
    """Mean of values in any unit: the wider of t and Hall's interval (`skewness`), or t over
    `clusters` (one name per value) with k - 1 degrees of freedom.

    One value per prompt: where there are several samples, `prompt_means` first. Equal values, and
    values of a single cluster, show no spread to go by: `_of_equals`.
    """
    x = np.asarray(values, dtype=float)
    groups, k = _groups(x, clusters)
    # a cluster of one prompt is a prompt
    if k in (None, x.size) and x.size > 1 and not is_constant(x):
        found = skewed_mean(x, 0.95)
        return Metric(value=found.value, low=found.low, high=found.high, n=x.size, clusters=k)
    sums = np.bincount(groups, weights=x - x.mean())
    if sums.size < 2 or is_constant(x.mean() + sums):
        return _of_equals(x, sums.size).model_copy(update={"clusters": k})
    low, high = _t_interval(x.mean() + sums * sums.size / x.size)
    return Metric(value=float(x.mean()), low=low, high=high, n=x.size, clusters=k)


def _groups(x: np.ndarray, clusters: Sequence[str] | None) -> tuple[np.ndarray, int | None]:
    """Number the clusters: which one each value is in, and how many there are; each value is its
    own where there are none.
    """
    if clusters is None:
        return np.arange(x.size), None
    names, groups = np.unique(list(clusters), return_inverse=True)
    return groups, int(names.size)


def _of_equals(x: np.ndarray, units: int) -> Metric:
    """Widen a mean without spread by the share of units that may yet be otherwise (Wilson), by as
    much as the values are (one where they are zero).
    """
    value = float(x.mean())
    room = (1 - proportion(units, units).low) * (float(np.abs(x).max()) or 1.0)
    return Metric(value=value, low=value - room, high=value + room, n=x.size)


def _t_interval(x: np.ndarray) -> tuple[float, float]:
    interval = stats.ttest_1samp(x, 0).confidence_interval()
    return float(interval.low), float(interval.high)


def prompt_means(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Mean over the samples of each prompt, from (prompt id, value) rows; prompts in order of
    appearance.

    With as many samples for every prompt, the t interval over these means is the clustered one over
    the rows.
    """
    by_prompt: dict[str, list[float]] = {}
    for prompt, value in values:
        by_prompt.setdefault(prompt, []).append(value)
    return {prompt: fmean(samples) for prompt, samples in by_prompt.items()}


def over_seeds(values: Sequence[float]) -> Metric:
    """Mean over training seeds, one value (or paired difference) each, with its t interval; `n`
    counts seeds.

    Raises ValueError below two seeds: one run says nothing about how much runs differ, not that
    they do not.
    """
    if len(values) < 2:
        raise ValueError(
            f"The spread over training seeds needs two seeds or more, there is {len(values)}."
        )
    x = np.asarray(values, dtype=float)
    if is_constant(x):
        return _of_equals(x, x.size)
    low, high = _t_interval(x)
    return Metric(value=float(x.mean()), low=low, high=high, n=x.size)


def is_constant(values: Sequence[float] | np.ndarray) -> bool:
    """Say whether values are equal, but for the last digits that averaging leaves."""
    return float(np.ptp(values)) <= 1e-12 * max(1.0, float(np.max(np.abs(values))))


def spread(values: Sequence[float]) -> float:
    """Sample standard deviation, of two values or more."""
    return float(np.std(values, ddof=1))


def seed_floor(values: Sequence[float], runs: int = 1) -> float | None:
    """How much two recipes' means over `runs` training seeds each may differ by seeds alone: 95%
    prediction bound for the absolute difference.

    From one value per seed: the difference of two such means has the variance 2 sd^2 / runs, which
    is estimated from k - 1 degrees of freedom, so the bound is t(.975, k - 1) * sd * sqrt(2 / runs)
    (`runs` of 1: two single runs). None with two seeds: t with one degree of freedom is 13 times
    what was seen, more than most metrics have room for, so what they differed by is what was seen,
    and no floor. Raises ValueError below two seeds.
    """
    if len(values) < 2:
        raise ValueError(
            f"The spread over training seeds needs two seeds or more, there is {len(values)}."
        )
    if len(values) == 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * spread(values) * np.sqrt(2 / runs))


def repeat_noise(differences: Sequence[float]) -> float:
    """How much two evaluations of one checkpoint may differ in their mean: 1.96 * sd / sqrt(n) of
    the differences by prompt.
    """
    d = np.asarray(differences, dtype=float)
    if d.size < 2:
        return 0.0
    return float(stats.norm.ppf(0.975) * d.std(ddof=1) / np.sqrt(d.size))


def within(ends: tuple[float, float] | None, metric: Metric) -> Metric:
    """Cut an interval off at the ends of what the value can be, where it has such ends."""
    if ends is None:
        return metric
    low, high = ends
    return metric.model_copy(update={"low": max(low, metric.low), "high": min(high, metric.high)})


def quantile(values: Sequence[float], q: float, clusters: Sequence[str] | None = None) -> Metric:
    """Sample quantile with its exact order-statistic interval (`scipy.stats.quantile_test`,
    Conover).

    It has no width where enough values around the quantile are equal: they are the quantile then.
    Where the sample is too small for 95% coverage on a side, that side lies as far beyond the
    smallest or largest value as that is from the quantile; where nothing differs in so small a
    sample, as far as for a mean.

    Where prompts come in `clusters` (one name per value), the exact interval of the share q at the
    effective number of prompts (see `rate`) is turned into values (Woodruff 1952, Journal of the
    American Statistical Association 47:635).
    """
    x = np.asarray(values, dtype=float)
    groups, k = _groups(x, clusters)
    if k not in (None, x.size):
        low, high = _over_clusters(x, q, groups)
        return Metric(value=float(np.quantile(x, q)), low=low, high=high, n=x.size, clusters=k)
    interval = stats.quantile_test(x, p=q).confidence_interval()
    value = float(np.quantile(x, q))
    beyond = _of_equals(x, x.size) if is_constant(x) else None
    low = 2 * x.min() - value if beyond is None else beyond.low
    high = 2 * x.max() - value if beyond is None else beyond.high
    low = low if np.isnan(interval.low) else interval.low
    high = high if np.isnan(interval.high) else interval.high
    return Metric(value=value, low=float(low), high=float(high), n=x.size, clusters=k)


def _over_clusters(x: np.ndarray, q: float, groups: np.ndarray) -> tuple[float, float]:
    _, effective = _effective((x <= np.quantile(x, q)).astype(float), groups)
    lower, upper = proportion_confint(q * effective, effective, method="beta")
    low, high = np.quantile(x, lower, method="lower"), np.quantile(x, upper, method="higher")
    return float(low), float(high)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased chance that one of k samples is correct, where c of n were (Chen et al. 2021,
    arXiv:2107.03374, eq. 1).

    Exact in integers until the one division. Raises ValueError where fewer than k samples were
    drawn.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(
            f"pass@k with k={k} needs as many samples, of which 0 to n are correct, got n={n}, "
            f"c={c}."
        )
    return (comb(n, k) - comb(n - c, k)) / comb(n, k)


def kappa(first: Sequence[object], second: Sequence[object]) -> tuple[float, float, float]:
    """Cohen's kappa of two raters' labels with its 95% interval (asymptotic, cut off at -1 and 1).

    0 with [-1, 1] where a rater gave one label only: agreement cannot be told from chance. Where
    they agree always or never the asymptotic interval may have no width: there its ends are those
    of Wilson's for the agreement.
    """
    if min(len(set(first)), len(set(second))) < 2:
        return 0.0, -1.0, 1.0
    codes = {label: code for code, label in enumerate(dict.fromkeys([*first, *second]))}
    pairs = [(codes[mine], codes[theirs]) for mine, theirs in zip(first, second, strict=True)]
    table, _ = to_table(np.array(pairs), bins=len(codes))
    result = cohens_kappa(table)
    low, high = float(result.kappa_low), float(result.kappa_upp)
    agreeing = int(np.trace(table))
    if agreeing in (0, len(pairs)):
        agreement, by_chance = proportion(agreeing, len(pairs)), _by_chance(table)
        low = min(low, (agreement.low - by_chance) / (1 - by_chance))
        high = max(high, (agreement.high - by_chance) / (1 - by_chance))
    return float(result.kappa), max(-1.0, low), min(1.0, high)


def _by_chance(table: np.ndarray) -> float:
    """Return how often two raters who give their labels without looking would agree."""
    shares = table / table.sum()
    return float(shares.sum(axis=0) @ shares.sum(axis=1))


def rate(values: Sequence[float], clusters: Sequence[str] | None = None) -> Metric:
    """Mean of values in [0, 1] with an interval inside of it: Wilson's where each is 0 or 1.

    Otherwise, and where prompts come in `clusters` (one name per value), it is Wilson's at the
    effective number of prompts (clusters), the one with which right or wrong answers would vary as
    these values do (Korn and Graubard 1998; Wilson's in place of Clopper and Pearson's: Dean and
    Pagano 2015), reduced for the degrees of freedom that its variance has.
    """
    x = np.asarray(values, dtype=float)
    groups, k = _groups(x, clusters)
    # a cluster of one prompt is a prompt
    if k in (None, x.size) and set(values) <= {0.0, 1.0}:
        return proportion(round(sum(values)), x.size).model_copy(update={"clusters": k})
    value = float(x.mean())
    low, high = proportion_confint(*_effective(x, groups), method="wilson")
    return Metric(value=value, low=min(value, low), high=max(value, high), n=x.size, clusters=k)


# of one unit, all right or all wrong: what was seen alike may yet vary by whole units
_UNSEEN = 0.25


def _effective(x: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the effective number of right answers and of units, from values and their units."""
    units = int(groups.max()) + 1
    value = float(x.mean())
    if units == 1:
        return value, 1.0
    sums = np.bincount(groups, weights=x - value) * units / x.size
    # how the units vary, over how much they would if each were all right or all wrong; both
    # with a share of such a unit added, so that few or no varying units do not claim precision
    varied = units / (units - 1) * float(sums @ sums)
    design_effect = (varied + _UNSEEN) / (units * value * (1 - value) + _UNSEEN)
    reduced = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, units - 1)) ** 2
    effective = float(units / design_effect * reduced)
    return value * effective, effective


def share_or_mean(values: Sequence[float], clusters: Sequence[str] | None = None) -> Metric:
    """Mean of values in a unit that is not known: where all lie between 0 and 1 they are shares."""
    if min(values) >= 0 and max(values) <= 1:
        return rate(values, clusters)
    return mean(values, clusters)
