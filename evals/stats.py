"""Intervals and paired tests: thin calls into scipy and statsmodels, chosen as the statistics page says.

The unit of analysis is the prompt. Nothing here knows what is being measured; `difference` expects values that were
already paired by prompt id. It does not measure the spread between training runs: that needs several seeds, which are
a level of their own (`over_seeds`). Planning is in `power`, length control in `length_control`, Bradley-Terry in
`ranking`; all are named here too.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from math import comb
from statistics import fmean

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa, to_table
from statsmodels.stats.multitest import multipletests

from evals.length_control import LengthControlled as LengthControlled
from evals.length_control import length_controlled as length_controlled
from evals.length_control import length_controlled_difference as length_controlled_difference
from evals.power import Difference as Difference
from evals.power import mde as mde
from evals.power import prompts_needed as prompts_needed
from evals.power import small_sample_mde as small_sample_mde
from evals.ranking import Match as Match
from evals.ranking import bradley_terry as bradley_terry
from evals.records import Metric

FEW_DISCORDANT_PAIRS = 25
FEW_PROMPTS = 30


def proportion(successes: int, n: int) -> Metric:
    """Share of successes with its Wilson 95% interval."""
    interval = stats.binomtest(successes, n).proportion_ci(method="wilson")
    return Metric(value=successes / n, low=float(interval.low), high=float(interval.high), n=n)


def mean(values: Sequence[float]) -> Metric:
    """Mean with its t interval; a single value or equal values have an interval of no width.

    One value per prompt: where there are several samples, `prompt_means` first.
    """
    x = np.asarray(values, dtype=float)
    if x.size < 2 or np.ptp(x) == 0:
        return Metric(value=float(x.mean()), low=float(x.mean()), high=float(x.mean()), n=x.size)
    interval = stats.ttest_1samp(x, 0).confidence_interval()
    return Metric(value=float(x.mean()), low=float(interval.low), high=float(interval.high), n=x.size)


def prompt_means(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Mean over the samples of each prompt, from (prompt id, value) rows; prompts in order of appearance.

    With as many samples for every prompt, the t interval over these means is the clustered one over the rows.
    """
    samples: dict[str, list[float]] = {}
    for prompt, value in values:
        samples.setdefault(prompt, []).append(value)
    return {prompt: fmean(seen) for prompt, seen in samples.items()}


def over_seeds(values: Sequence[float]) -> Metric:
    """Mean over training seeds, one value (or paired difference) each, with its t interval; `n` counts seeds.

    Raises ValueError below two seeds: one run says nothing about how much runs differ, not that they do not.
    """
    if len(values) < 2:
        raise ValueError(f"The spread over training seeds needs two seeds or more, there is {len(values)}.")
    return mean(values)


def seed_difference(differences: Sequence[float]) -> Difference:
    """Test paired differences, one per training seed, against zero: t over seeds, whatever their number.

    Raises ValueError below two seeds. Equal differences have no spread to test by: then it is the sign test.
    """
    found, sd = over_seeds(differences), spread(differences)
    if is_constant(differences):
        return Difference(found.value, found.low, found.high, found.n, p_value([found.value] * found.n), None, None)
    p = float(stats.ttest_1samp(differences, 0).pvalue)
    return Difference(found.value, found.low, found.high, found.n, p, small_sample_mde(sd, found.n), None)


def is_constant(values: Sequence[float]) -> bool:
    """Say whether values are equal, but for the last digits that averaging leaves."""
    return float(np.ptp(values)) <= 1e-12 * max(1.0, float(np.max(np.abs(values))))


def spread(values: Sequence[float]) -> float:
    """Sample standard deviation, of two values or more."""
    return float(np.std(values, ddof=1))


def seed_noise(values: Sequence[float]) -> float:
    """How much two training runs that differ in their seed alone may differ: 95% prediction bound for the absolute difference.

    From one value per seed: their difference has the variance of two runs, which is estimated from k - 1 degrees of freedom, so
    the bound is t(.975, k - 1) * sqrt(2) * sd. With two seeds that would be 13 times what was seen, more than most metrics have
    room for: there it is the difference seen, no bound but the least that seeds do. Raises ValueError below two seeds.
    """
    if len(values) < 2:
        raise ValueError(f"The spread over training seeds needs two seeds or more, there is {len(values)}.")
    factor = 1.0 if len(values) == 2 else stats.t.ppf(0.975, len(values) - 1)
    return float(factor * np.sqrt(2) * spread(values))


def repeat_noise(differences: Sequence[float]) -> float:
    """How much two evaluations of one checkpoint may differ in their mean: 1.96 * sd / sqrt(n) of the differences by prompt."""
    d = np.asarray(differences, dtype=float)
    return 0.0 if d.size < 2 else float(stats.norm.ppf(0.975) * d.std(ddof=1) / np.sqrt(d.size))


def clipped(metric: Metric, low: float, high: float) -> Metric:
    """Cut an interval off at the ends of what the value can be."""
    return metric.model_copy(update={"low": max(low, metric.low), "high": min(high, metric.high)})


def quantile(values: Sequence[float], q: float) -> Metric:
    """Sample quantile with its exact order-statistic interval (`scipy.stats.quantile_test`, Conover).

    Where the sample is too small for 95% coverage on a side, that side is the smallest or largest value seen.
    """
    x = np.asarray(values, dtype=float)
    interval = stats.quantile_test(x, p=q).confidence_interval()
    low, high = (float(x.min()) if np.isnan(interval.low) else float(interval.low)), float(interval.high)
    return Metric(value=float(np.quantile(x, q)), low=low, high=float(x.max()) if np.isnan(high) else high, n=x.size)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased chance that one of k samples is correct, where c of n were (Chen et al. 2021, arXiv:2107.03374, eq. 1).

    Exact in integers until the one division. Raises ValueError where fewer than k samples were drawn.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} needs at least {k} samples of which 0 to n are correct, got n={n}, c={c}.")
    return (comb(n, k) - comb(n - c, k)) / comb(n, k)


def difference(differences: Sequence[float], *, binary: bool = False, bound: float | None = None) -> Difference:
    """Test a paired difference against zero.

    `differences` holds one value per prompt. The t test decides, except where it cannot be trusted: with fewer than 30
    prompts, or (`binary`, values in {-1, 0, 1}) fewer than 25 discordant pairs, the interval is BCa and a binary p is
    exact McNemar. `bound` is the largest size a difference can have, where there is one (1 for binary values).
    """
    d = np.asarray(differences, dtype=float)
    if not d.any():
        return Difference(0.0, 0.0, 0.0, d.size, None, None, None)
    low, high = _interval(d, binary, bound, 0.95)
    p = p_value(differences, binary=binary)
    if np.ptp(d) == 0:
        return Difference(float(d[0]), low, high, d.size, p, None, None)
    delta, sd = float(d.mean()), float(d.std(ddof=1))
    return Difference(delta, low, high, d.size, p, mde(sd, d.size), prompts_needed(delta, sd))


def p_value(differences: Sequence[float], *, binary: bool = False) -> float | None:
    """Give the p of `difference` alone, without the cost of its interval; None where every pair is identical."""
    d = np.asarray(differences, dtype=float)
    discordant = int(np.count_nonzero(d))
    if discordant == 0:
        return None
    if np.ptp(d) == 0:  # every prompt moved by the same amount, there is no spread to estimate from: the sign test
        return float(stats.binomtest(d.size, d.size).pvalue)
    if _t_can_be_trusted(d, binary):
        return float(stats.ttest_1samp(d, 0).pvalue)
    return float(stats.binomtest(int((d > 0).sum()), discordant).pvalue) if binary else _exact_sign_flip(d)


def bounds(differences: Sequence[float], *, binary: bool = False, bound: float | None = None) -> tuple[float, float]:
    """Lower and upper one-sided 5% bounds of a paired difference, for a gate; methods as in `difference`."""
    return _interval(np.asarray(differences, dtype=float), binary, bound, 0.90)  # 5% beyond either end


def _interval(d: np.ndarray, binary: bool, bound: float | None, confidence: float) -> tuple[float, float]:
    if not d.any():
        return 0.0, 0.0
    if np.ptp(d) == 0:
        return _constant_interval(d, 1.0 if binary else bound, confidence)
    if _t_can_be_trusted(d, binary):
        interval = stats.ttest_1samp(d, 0).confidence_interval(confidence)
        return float(interval.low), float(interval.high)
    return _bca(d, np.mean, confidence) or (float(d.min()), float(d.max()))


def _t_can_be_trusted(d: np.ndarray, binary: bool) -> bool:
    return d.size >= FEW_PROMPTS and not (binary and np.count_nonzero(d) < FEW_DISCORDANT_PAIRS)


def _constant_interval(d: np.ndarray, bound: float | None, confidence: float) -> tuple[float, float]:
    """Take the share of prompts that may yet move otherwise (Wilson), at worst by the whole bound."""
    value = float(d[0])
    share = stats.binomtest(d.size, d.size).proportion_ci(confidence, method="wilson").low
    worst = float(value * share - np.copysign(1 - share, value) * (bound if bound is not None else abs(value)))
    return min(value, worst), max(value, worst)


def _bca(d: np.ndarray, statistic: Callable[..., float], confidence: float) -> tuple[float, float] | None:
    """BCa bootstrap interval; None where it degenerates, which the nan limits say as well as scipy's warnings do."""
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return _bootstrap(d, statistic, "BCa", confidence)


def _bootstrap(
    d: np.ndarray, statistic: Callable[..., float], method: str, confidence: float, resamples: int = 9999
) -> tuple[float, float] | None:
    """Resample in batches, so that memory does not grow with the number of resamples."""
    rng = np.random.default_rng(0)
    found = stats.bootstrap(
        (d,), statistic, method=method, confidence_level=confidence, n_resamples=resamples, batch=1000, rng=rng
    )
    low, high = float(found.confidence_interval.low), float(found.confidence_interval.high)
    return None if np.isnan(low) or np.isnan(high) else (low, high)


def _exact_sign_flip(d: np.ndarray) -> float:
    """Paired permutation test: flip the signs of the differences (all of them where they are few enough)."""
    rng = np.random.default_rng(0)
    result = stats.permutation_test((d,), np.mean, permutation_type="samples", batch=1000, rng=rng)
    return float(result.pvalue)


def ratio(values: Sequence[float], others: Sequence[float]) -> Metric | None:
    """Geometric mean of the paired ratios value / other, the t interval taken on logs; None where one is not positive."""
    x, y = np.asarray(values, dtype=float), np.asarray(others, dtype=float)
    if min(x.min(), y.min()) <= 0:
        return None
    logs = mean(np.log(x / y).tolist())
    return Metric(value=float(np.exp(logs.value)), low=float(np.exp(logs.low)), high=float(np.exp(logs.high)), n=logs.n)


def median_difference(differences: Sequence[float]) -> Metric:
    """Median of the paired differences with its bootstrap interval; equal differences have one of no width.

    BCa, except where the differences around the middle are equal (whole tokens): no difference left out moves the median, so
    BCa has no acceleration to correct by, and the interval is percentile, for which 1,999 resamples are plenty.
    """
    d = np.asarray(differences, dtype=float)
    value = float(np.median(d))
    if np.ptp(d) == 0:
        return Metric(value=value, low=value, high=value, n=d.size)
    corrected = None if _has_flat_middle(d) else _bca(d, np.median, 0.95)
    low, high = corrected or _bootstrap(d, np.median, "percentile", 0.95, resamples=1999) or (d.min(), d.max())
    return Metric(value=value, low=min(value, low), high=max(value, high), n=d.size)


def _has_flat_middle(d: np.ndarray) -> bool:
    """Say whether the median stays what it is whichever value is left out."""
    middle = np.sort(d)[(d.size - 2) // 2 : d.size // 2 + 1 + d.size % 2]
    return bool(np.ptp(middle) == 0)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm-adjust the p values that exist; None (identical pairs) stays None and does not count in the family."""
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(multipletests(known, method="holm")[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def intersection_union(p_values: Sequence[float | None]) -> float | None:
    """Give the p of "all of them": the largest, unadjusted (Berger 1982). None (identical pairs) stands in no one's way.

    For claims such as "non-inferior on every metric", where each p is of the one-sided test of its own metric.
    """
    return max((p for p in p_values if p is not None), default=None)


def sign_test(leads: Sequence[float]) -> float | None:
    """Exact two-sided sign test over the values that are not zero; None where there are none."""
    ahead, decided = sum(lead > 0 for lead in leads), sum(lead != 0 for lead in leads)
    return float(stats.binomtest(ahead, decided).pvalue) if decided else None


def kappa(first: Sequence[object], second: Sequence[object]) -> tuple[float, float, float]:
    """Cohen's kappa of two raters' labels with its 95% interval (asymptotic, cut off at -1 and 1).

    0 with [-1, 1] where a rater gave one label only: agreement cannot be told from chance. Perfect agreement has an
    asymptotic interval of no width: there its lower end is Wilson's for the agreement.
    """
    if min(len(set(first)), len(set(second))) < 2:
        return 0.0, -1.0, 1.0
    if list(first) == list(second):
        by_chance = sum((count / len(first)) ** 2 for count in Counter(first).values())
        return 1.0, (proportion(len(first), len(first)).low - by_chance) / (1 - by_chance), 1.0
    labels = {label: code for code, label in enumerate(dict.fromkeys([*first, *second]))}
    codes = [[labels[one], labels[other]] for one, other in zip(first, second, strict=True)]
    found = cohens_kappa(to_table(np.array(codes), bins=len(labels))[0])
    return float(found.kappa), max(-1.0, float(found.kappa_low)), min(1.0, float(found.kappa_upp))


def rate(values: Sequence[float]) -> Metric:
    """Mean of values in [0, 1]: Wilson where all are 0 or 1, else a t interval clipped to [0, 1].

    Where all values are the same there is no spread to go by: the share of prompts that may yet differ (Wilson) could lie
    anywhere.
    """
    if set(values) <= {0.0, 1.0}:
        return proportion(round(sum(values)), len(values))
    if len(set(values)) > 1:
        return clipped(mean(values), 0, 1)
    value, share = float(values[0]), proportion(len(values), len(values)).low
    return Metric(value=value, low=value * share, high=value * share + 1 - share, n=len(values))


def share_or_mean(values: Sequence[float]) -> Metric:
    """Mean of values in any unit: Wilson where all are 0 or 1, else a t interval."""
    return proportion(int(sum(values)), len(values)) if set(values) <= {0.0, 1.0} else mean(values)
