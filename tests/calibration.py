"""How often intervals hold what is true, and how often verdicts find what is there: simulated data
of every kind that a report compares.

    python -m tests.calibration

It prints, for each kind and n, how often the 95% interval holds the true value, and how often each
one-sided 5% bound of a gate errs; then the false alarms at the levels of large families, and the
power of the verdict at the minimum detectable effect that a report prints. Right and wrong answers
are enumerated exactly, all else is drawn 1,000 times. tests/test_calibration.py holds the rows to
their bounds. Nothing here says what correlated prompts would do that are not declared as clusters.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import factorial, inf

import numpy as np
from scipy import stats
from scipy.special import expit

from stagelift.evals.records import Metric
from stagelift.evals.stats import estimates, families, lengths, planning
from stagelift.evals.stats.bradley_terry import Match, bradley_terry
from stagelift.evals.stats.difference import Difference, difference, of_counts, seed_difference
from stagelift.evals.stats.length_control import length_controlled

TRIALS = 1000
SIZES = (8, 20, 50, 128, 500, 1319)
Rng = np.random.Generator
# low and high of the 95% interval, and of the one-sided 5% bounds
Ends = tuple[float, float, float, float]


@dataclass(frozen=True)
class Row:
    """One kind of data: how its intervals are made from n fresh prompts (or clusters, seeds), and
    the value that they should hold.
    """

    ends: Callable[[Rng, int], Ends]
    true: float
    sizes: tuple[int, ...] = SIZES


@dataclass(frozen=True)
class Errors:
    """How often the 95% interval missed, and how often the truth lay below the lower and above the
    upper one-sided 5% bound.
    """

    missed: float
    below: float
    above: float


def main() -> None:
    """Print the tables."""
    _print_exact()
    for title, rows in SECTIONS.items():
        _print(title, rows)
    _print_false_alarms()
    _print_power()


def errors(row: Row, n: int, trials: int = TRIALS) -> Errors:
    """Draw `trials` samples of one row; they are the same every time."""
    rng = np.random.default_rng(20240)
    low, high, bound_below, bound_above = np.array([row.ends(rng, n) for _ in range(trials)]).T
    return Errors(
        missed=float(np.mean((row.true < low) | (row.true > high))),
        below=float(np.mean(row.true < bound_below)),
        above=float(np.mean(row.true > bound_above)),
    )


def exact_errors(up: float, down: float, n: int) -> Errors:
    """Enumerate every table of n pairs of which shares `up` and `down` are gained and lost."""
    ups, downs = np.meshgrid(np.arange(n + 1), np.arange(n + 1))
    possible = ups + downs <= n
    ups, downs = ups[possible], downs[possible]
    chances = stats.binom.pmf(ups + downs, n, up + down)
    chances *= stats.binom.pmf(ups, ups + downs, up / (up + down))
    low, high, _ = of_counts(ups, downs, n)
    one_sided_low, one_sided_high, _ = of_counts(ups, downs, n, 0.90)
    # a last digit is no error
    true = up - down
    missed = (low > true + 1e-12) | (high < true - 1e-12)
    return Errors(
        float(chances @ missed),
        float(chances @ (one_sided_low > true + 1e-12)),
        float(chances @ (one_sided_high < true - 1e-12)),
    )


CHANGES = (
    (0.01, 0.0),
    (0.02, 0.0),
    (0.03, 0.0),
    (0.05, 0.0),
    (0.01, 0.01),
    (0.05, 0.02),
    (0.10, 0.0),
    (0.10, 0.10),
    (0.40, 0.10),
)
EXACT_SIZES = (8, 20, 50, 100, 128, 200, 500, 1319)


def _print_exact() -> None:
    sys.stdout.write(_heading("Right and wrong answers, exactly", EXACT_SIZES))
    for up, down in CHANGES:
        cells = [_cell(exact_errors(up, down, n)) for n in EXACT_SIZES]
        sys.stdout.write(_line(f"{up:.0%} gained, {down:.0%} lost", cells))


def _print(title: str, rows: dict[str, Row]) -> None:
    begun = time.perf_counter()
    sizes = next(iter(rows.values())).sizes
    sys.stdout.write(_heading(title, sizes))
    for name, row in rows.items():
        sys.stdout.write(_line(name, [_cell(errors(row, n)) for n in sizes]))
        sys.stdout.flush()
    sys.stdout.write(f"({time.perf_counter() - begun:.0f} s)\n")


def _heading(title: str, sizes: Sequence[int]) -> str:
    columns = " | ".join(f"n = {n:,}" for n in sizes)
    return (
        f"\n{title}: coverage, and the errors of the lower / upper 5% bound, in percent\n\n"
        f"| data | {columns} |\n| :--- |{' ---: |' * len(sizes)}\n"
    )


def _cell(found: Errors) -> str:
    return f"{100 - 100 * found.missed:.1f} {100 * found.below:.1f}/{100 * found.above:.1f}"


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |\n"


def of_difference(
    draw: Callable[[Rng, int], np.ndarray], bound: float, cluster: int | None = None
) -> Callable[[Rng, int], Ends]:
    """Return how a difference is estimated from what `draw` draws, in clusters of this size."""

    def ends(rng: Rng, n: int) -> Ends:
        values = draw(rng, n).tolist()
        names = None if cluster is None else [str(i // cluster) for i in range(len(values))]
        found = difference(values, bound=bound, clusters=names)
        bounds = difference(values, bound=bound, clusters=names, confidence=0.90)
        return found.low, found.high, bounds.low, bounds.high

    return ends


def of_metric(estimate: Callable[[Rng, int], Metric | None]) -> Callable[[Rng, int], Ends]:
    """Return the ends of a metric, which has no other interval than that of 95%."""

    def ends(rng: Rng, n: int) -> Ends:
        metric = estimate(rng, n)
        if metric is None:
            return -inf, inf, -inf, inf
        return metric.low, metric.high, metric.low, metric.high

    return ends


def leads(shares: Sequence[float], rng: Rng, n: int) -> np.ndarray:
    """Draw leads of a judge that says -1/2 to 1/2 in quarters."""
    return rng.choice(VERDICTS, n, p=shares)


def several_samples(
    samples: int, rate: float, alike: float, changed: float, rng: Rng, n: int
) -> np.ndarray:
    """Draw differences of prompt means: prompts are solved at rates that vary (Beta with intraclass
    correlation `alike`), and a share `changed` of them four fifths nearer to always.
    """
    solved = _solved(rate, alike, rng, n)
    better = np.where(rng.random(n) < changed, 1 - 0.2 * (1 - solved), solved)
    drawn = rng.binomial(samples, better) - rng.binomial(samples, solved)
    return np.asarray(drawn / samples)


def sampled_accuracy(samples: int, rate: float, alike: float, rng: Rng, n: int) -> Metric:
    """Estimate a mean accuracy from several samples per prompt."""
    drawn = rng.binomial(samples, _solved(rate, alike, rng, n)) / samples
    return estimates.rate(drawn.tolist())


def clustered_accuracy(sizes: Sequence[int], rate: float, alike: float, rng: Rng, n: int) -> Metric:
    """Estimate an accuracy from n clusters, of these sizes in turn."""
    counts = np.resize(sizes, n)
    right = rng.binomial(counts, _solved(rate, alike, rng, n))
    values = [float(i < k) for k, size in zip(right, counts, strict=True) for i in range(size)]
    names = [str(cluster) for cluster, size in enumerate(counts) for _ in range(size)]
    return estimates.rate(values, names)


def clustered_changes(alike: float, gained: float, rng: Rng, n: int) -> np.ndarray:
    """Draw right and wrong answers before and after, 8 of each of n templates; a template is gained
    as a whole, most of it.
    """
    before = rng.random((n, 8)) < _solved(0.3, alike, rng, n)[:, None]
    gains = (rng.random(n) < gained)[:, None] & (rng.random((n, 8)) < 0.8)
    noise = rng.random((n, 8)) < 0.1
    after = np.where(noise, rng.random((n, 8)) < 0.5, before) | gains
    first = np.where(rng.random((n, 8)) < 0.1, rng.random((n, 8)) < 0.5, before)
    return np.asarray(after.astype(float) - first).ravel()


def _solved(rate: float, alike: float, rng: Rng, n: int) -> np.ndarray:
    weight = (1 - alike) / alike
    return rng.beta(rate * weight, (1 - rate) * weight, n)


def length_changes(tail: float, other_tail: float, rng: Rng, n: int) -> np.ndarray:
    """Draw differences of log-normal lengths that share how long their prompt wants them."""
    wanted = rng.lognormal(4, 0.5, n)
    return np.asarray(wanted * (rng.lognormal(0, tail, n) - rng.lognormal(0, other_tail, n)))


def mean_length_change(tail: float, other_tail: float) -> float:
    """Return the true mean of `length_changes`."""
    return float(np.exp(4.125) * (np.exp(tail**2 / 2) - np.exp(other_tail**2 / 2)))


def runaways(share: float, rng: Rng, n: int) -> np.ndarray:
    """Draw differences of lengths of which a share runs to a limit of 512 tokens."""
    wanted = rng.lognormal(4, 0.5, n)
    one, other = (np.minimum(wanted * rng.lognormal(0, 0.3, n), 512) for _ in range(2))
    return np.asarray(np.where(rng.random(n) < share, 512, one) - other)


def mean_runaways(share: float) -> float:
    """Return the true mean of `runaways`: what those that run on would have been is log-normal, cut
    off at the limit.
    """
    location, scale, limit = 4.0, float(np.sqrt(0.5**2 + 0.3**2)), float(np.log(512))
    below = stats.norm.cdf((limit - location - scale**2) / scale)
    kept = np.exp(location + scale**2 / 2) * below + 512 * stats.norm.sf((limit - location) / scale)
    return float(share * (512 - kept))


def shapley(stages: int, gained: float, noise: float, rng: Rng, n: int) -> np.ndarray:
    """Draw the first stage's Shapley values by prompt, over the models of all subsets of stages: it
    solves a share `gained` of the prompts, and every model but base errs by `noise`.
    """
    base, lift = rng.random(n) < 0.3, rng.random(n) < gained
    right = {}
    for subset in range(2**stages):
        solved = base | lift if subset & 1 else base
        flips = (rng.random(n) < noise) & (subset > 0)
        right[subset] = np.where(flips, ~solved, solved).astype(float)
    total = np.zeros(n)
    for subset in range(0, 2**stages, 2):
        size = subset.bit_count()
        weight = factorial(size) * factorial(stages - size - 1) / factorial(stages)
        total += weight * (right[subset | 1] - right[subset])
    return total


def mean_shapley(stages: int, gained: float, noise: float) -> float:
    """Return the true mean of `shapley`: base alone does not err."""
    lifted = 0.7 * gained * (1 - 2 * noise)
    return lifted + noise * (1 - 2 * 0.3) / stages


def longer_is_preferred(rng: Rng, n: int = 100) -> tuple[list[float], list[float]]:
    """Draw scores and length differences (characters); at equal lengths the win rate is exactly one
    half.
    """
    differences = np.round(rng.lognormal(6.3, 0.5, n) - rng.lognormal(6, 0.5, n))
    scores = rng.binomial(2, expit(2 * np.tanh(differences / 400))) / 2
    return scores.tolist(), differences.tolist()


def at_equal_lengths(rng: Rng, n: int) -> Metric | None:
    """Judge pairs of equal merit where the candidate is longer in two of three, to a judge with a
    taste for length.
    """
    found = length_controlled(*longer_is_preferred(rng, n))
    if found is None:
        return None
    return Metric(value=found.value, low=found.low, high=found.high, n=n)


def length_ratio(rng: Rng, n: int) -> Metric | None:
    """Compare lengths that differ by nothing on logs."""
    wanted = rng.lognormal(4, 0.5, n)
    one, other = (np.ceil(20 * wanted * rng.lognormal(0, 0.8, n)).tolist() for _ in range(2))
    return lengths.ratio(one, other)


def of_quantile(q: float, rng: Rng, n: int) -> Metric:
    """Estimate a quantile of log-normal lengths."""
    return estimates.quantile(rng.lognormal(0, 1, n).tolist(), q)


def over_seeds(rng: Rng, n: int) -> Metric:
    """Compare two recipes over n training seeds, paired by seed."""
    found = seed_difference(rng.normal(0, 0.03, n).tolist())
    assert found is not None
    return Metric(value=found.delta, low=found.low, high=found.high, n=n)


def ranking(rng: Rng, n: int) -> Metric | None:
    """Rank three models of equal strength by n prompts, each a round robin that shares the quality
    of the three responses.
    """
    matches = [
        Match(
            str(prompt),
            f"model {one}",
            f"model {other}",
            rng.binomial(2, expit(quality[one] - quality[other])) / 2,
        )
        for prompt, quality in enumerate(rng.normal(0, 1.5, (n, 3)))
        for one, other in ((0, 1), (1, 2), (2, 0))
    ]
    ranked = bradley_terry(matches)
    return None if ranked is None else ranked["model 1"]


VERDICTS = (-0.5, -0.25, 0.0, 0.25, 0.5)
LEADS = {
    "half ties, even": (0.15, 0.10, 0.50, 0.10, 0.15),
    "95% ties, all won": (0.0, 0.0, 0.95, 0.03, 0.02),
    "80% ties, all won": (0.0, 0.0, 0.80, 0.10, 0.10),
    "few ties, 55% won": (0.30, 0.10, 0.10, 0.10, 0.40),
    "few ties, 85% won": (0.0, 0.05, 0.10, 0.05, 0.80),
    "few ties, 97% won": (0.0, 0.01, 0.02, 0.02, 0.95),
}
# samples, rate, how alike those of a prompt are, share of prompts that changed
SAMPLES = (
    (2, 0.02, 0.5, 0.03),
    (4, 0.02, 0.5, 0.10),
    (4, 0.30, 0.5, 0.0),
    (4, 0.30, 0.5, 0.05),
    (16, 0.02, 0.5, 0.03),
    (16, 0.30, 0.5, 0.0),
    (16, 0.30, 0.5, 0.10),
    (16, 0.50, 0.8, 0.05),
)
LENGTHS = {
    "normal": (lambda rng, n: rng.normal(0, 1, n), 0.0),
    "equal tails of 0.8": (partial(length_changes, 0.8, 0.8), 0.0),
    "tail 1.0 against 0.5": (partial(length_changes, 1.0, 0.5), mean_length_change(1.0, 0.5)),
    "tail 1.2 against 0.8": (partial(length_changes, 1.2, 0.8), mean_length_change(1.2, 0.8)),
    "tail 1.5 against 0.5": (partial(length_changes, 1.5, 0.5), mean_length_change(1.5, 0.5)),
    "a mean, tail 0.5": (lambda rng, n: rng.lognormal(0, 0.5, n), float(np.exp(0.125))),
    "a mean, tail 1.0": (lambda rng, n: rng.lognormal(0, 1.0, n), float(np.exp(0.5))),
    "a mean, tail 1.5": (lambda rng, n: rng.lognormal(0, 1.5, n), float(np.exp(1.125))),
}
SHAPLEY = {
    f"{stages} stages, {gained:.0%} gained, noise {noise:.1%}": (stages, gained, noise)
    for stages in (2, 3, 4)
    for gained, noise in ((0.0, 0.05), (0.03, 0.01), (0.10, 0.003), (0.10, 0.20))
}
CLUSTERS = (8, 24, 60)

SECTIONS: dict[str, dict[str, Row]] = {
    "Win rates, verdicts in quarters": {
        name: Row(of_difference(partial(leads, shares), 0.5), float(np.dot(shares, VERDICTS)))
        for name, shares in LEADS.items()
    },
    "Differences over several samples": {
        f"{samples} of {rate:.0%}, {changed:.0%} changed": Row(
            of_difference(partial(several_samples, samples, rate, alike, changed), 1.0),
            0.8 * changed * (1 - rate),
        )
        for samples, rate, alike, changed in SAMPLES
    },
    "Lengths": {name: Row(of_difference(draw, inf), true) for name, (draw, true) in LENGTHS.items()}
    | {
        f"{share:.0%} run to the limit": Row(
            of_difference(partial(runaways, share), inf), mean_runaways(share)
        )
        for share in (0.02, 0.10, 0.30)
    },
    "Shapley values": {
        name: Row(of_difference(partial(shapley, *kind), 1.0), mean_shapley(*kind))
        for name, kind in SHAPLEY.items()
    },
    "Accuracy over several samples (errors of the 95% interval)": {
        f"{samples} of {rate:.1%}, alike {alike}": Row(
            of_metric(partial(sampled_accuracy, samples, rate, alike)), rate
        )
        for samples in (2, 4, 16)
        for rate in (0.005, 0.02, 0.10, 0.50)
        for alike in (0.4,)
    },
    "Accuracy over n clusters (errors of the 95% interval)": {
        f"of {sizes}, {rate:.0%}, alike {alike}": Row(
            of_metric(partial(clustered_accuracy, sizes, rate, alike)), rate, CLUSTERS
        )
        for sizes in ((8,), (2, 14))
        for rate in (0.02, 0.10, 0.50)
        for alike in (0.05, 0.2, 0.5)
    },
    "Differences over n clusters of 8": {
        f"{gained:.0%} gained, alike {alike}": Row(
            of_difference(partial(clustered_changes, alike, gained), 1.0, cluster=8),
            # of those wrong before, 68%
            0.68 * 0.8 * gained,
            CLUSTERS,
        )
        for gained in (0.0, 0.05, 0.20)
        for alike in (0.2, 0.5)
    },
    "Others (errors of the 95% interval)": {
        "length ratio": Row(of_metric(length_ratio), 1.0, (20, 50, 100)),
        "median length": Row(of_metric(partial(of_quantile, 0.5)), 1.0, (20, 50, 100)),
        "90th percentile": Row(
            of_metric(partial(of_quantile, 0.9)), float(np.exp(stats.norm.ppf(0.9))), (20, 50, 100)
        ),
        "win rate at equal lengths": Row(of_metric(at_equal_lengths), 0.5, (20, 50, 100)),
        "Bradley-Terry contrast": Row(of_metric(ranking), 0.0, (20, 50, 100)),
    },
    "Over n seeds (errors of the 95% interval)": {
        "normal": Row(of_metric(over_seeds), 0.0, (3, 5, 10)),
    },
}


@dataclass(frozen=True)
class Effect:
    """Values of n prompts whose mean is a given difference."""

    draw: Callable[[Rng, int, float], np.ndarray]
    bound: float

    def measured(self, rng: Rng, n: int, size: float) -> Difference:
        """Draw and compare."""
        return difference(self.draw(rng, n, size).tolist(), bound=self.bound)


def answers(moved: float, rng: Rng, n: int, size: float) -> np.ndarray:
    """Draw differences of right and wrong answers, of which a share `moved` is not zero."""
    moved = max(moved, size)
    up, down = (moved + size) / 2, (moved - size) / 2
    return rng.choice([-1.0, 0.0, 1.0], n, p=[down, 1 - up - down, up])


def verdicts(rng: Rng, n: int, size: float) -> np.ndarray:
    """Draw verdicts of which half are ties, and of which enough are turned for this lead."""
    turned = min(1.0, size / 0.2)
    lost, won = 1 - turned, 1 + turned
    return leads((0.15 * lost, 0.10 * lost, 0.50, 0.10 * won, 0.15 * won), rng, n)


EFFECTS = {
    "right and wrong, 30% moved": Effect(partial(answers, 0.30), 1.0),
    "right and wrong, 5% moved": Effect(partial(answers, 0.05), 1.0),
    "win rate, verdicts in quarters": Effect(verdicts, 0.5),
    "normal": Effect(lambda rng, n, size: rng.normal(size, 1, n), inf),
    "lengths, equal tails of 0.8": Effect(
        lambda rng, n, size: length_changes(0.8, 0.8, rng, n) + size, inf
    ),
}
FAMILIES = (6, 20, 60, 200)
EFFECT_SIZES = (64, 200, 1319)


def false_alarms(effect: Effect, n: int, level: float, trials: int) -> float:
    """Say how often two equal models are called different at a level."""
    rng = np.random.default_rng(20240)
    return sum(effect.measured(rng, n, 0.0).p < level for _ in range(trials)) / trials


def power(effect: Effect, n: int, family: int, trials: int = TRIALS) -> float:
    """Say how often the verdict of a family of tests, the others of equal models, finds the
    difference that a report on as many prompts printed as its minimum detectable effect.
    """
    rng = np.random.default_rng(20240)
    # statsmodels' multipletests collects all garbage on every call, 50 ms with pandas loaded
    gc.freeze()
    shown = 0
    for _ in range(trials):
        printed = planning.detectable(effect.measured(rng, n, 0.0), families.ALPHA / family)
        if printed is not None:
            p = effect.measured(rng, n, printed).p
            shown += families.holm([p, *rng.random(family - 1)])[0] < families.ALPHA
    gc.unfreeze()
    return shown / trials


def _print_false_alarms() -> None:
    levels = (0.05, 0.05 / 20, 0.05 / 200)
    columns = " | ".join(f"n = {n}, {level:.3%}" for n in (20, 64) for level in levels)
    sys.stdout.write(
        f"\nFalse alarms at levels of families of 1, 20 and 200 tests\n\n| data | {columns} |\n"
    )
    sys.stdout.write(f"| :--- |{' ---: |' * 6}\n")
    for name, effect in EFFECTS.items():
        alarms = [false_alarms(effect, n, level, 8000) for n in (20, 64) for level in levels]
        sys.stdout.write(_line(name, [f"{alarm:.3%}" for alarm in alarms]))


def _print_power() -> None:
    columns = " | ".join(f"n = {n}, {family} tests" for n in EFFECT_SIZES for family in FAMILIES)
    sys.stdout.write(
        f"\nPower of the verdict at the printed minimum detectable effect\n\n| data | {columns} |\n"
    )
    sys.stdout.write(f"| :--- |{' ---: |' * len(EFFECT_SIZES) * len(FAMILIES)}\n")
    for name, effect in EFFECTS.items():
        powers = [power(effect, n, family) for n in EFFECT_SIZES for family in FAMILIES]
        sys.stdout.write(_line(name, [f"{found:.1%}" for found in powers]))


if __name__ == "__main__":
    main()
