"""What a gate would catch: falls by its margin are drawn, with as many problems changing as seen,
and the rule decides on each.

This is power. It says nothing of the candidate at hand, and a fall by exactly the margin is the
smallest that must not pass. Without a baseline how many problems change is an assumption.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from stagelift.evals.metrics.measures import as_judged, measure
from stagelift.evals.stats.families import ALPHA
from stagelift.evals.stats.planning import POWER, needed_for_margin
from stagelift.evals.stats.two_levels import power, seeds_needed
from stagelift.reports.gates.evidence import margin_size, one_sided_p
from stagelift.reports.gates.gate import decide
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.pairs import Paired, bounds_of, paired
from stagelift.reports.gates.recipe_pairs import paired_recipes
from stagelift.reports.gates.scores import StageScores

DRAWS = 400


@dataclass(frozen=True)
class Power:
    """How often a fall by the margin, in the metric's own unit, is `caught` (regressed) and how
    often it is `let_through`, of so many draws.

    `changed` is the share of problems that differ, `is_seen` whether it was seen or assumed.
    `needed` is how many problems would catch the fall with 80% power, None where they come in
    clusters.

    Of recipes the power is computed from what seeds and problems do, without `draws`, and what is
    needed are `needed_seeds` a side, None where no number would; `seeds` counts those of candidate
    and baseline.
    """

    metric: str
    margin: float
    n: int
    changed: float
    is_seen: bool
    caught: float
    let_through: float
    needed: int | None
    draws: int
    seeds: tuple[int, int] | None = None
    needed_seeds: int | None = None

    @property
    def is_enough(self) -> bool:
        """Whether the fall is caught with the usual power."""
        return self.caught >= POWER


def self_test(
    margins: Sequence[Margin],
    baseline: StageScores,
    candidate: StageScores | None,
    draws: int = DRAWS,
) -> list[Power]:
    """Draw falls of every metric that decides, one metric at a time, at the level that Holm leaves
    a gate whose fellows show nothing.

    A win rate at equal lengths is left out: it is fitted, and no mean of problems.
    """
    deciding = [margin for margin in margins if margin.tier != "advisory"]
    drawn = [margin for margin in deciding if not measure(margin.metric).equal_lengths]
    level = ALPHA / len(deciding)
    if baseline.trainings or (candidate is not None and candidate.trainings):
        return [_power_of_recipes(margin, baseline, candidate, level) for margin in drawn]
    return [_power(margin, baseline, candidate, level, draws) for margin in drawn]


def _power(
    margin: Margin,
    baseline: StageScores,
    candidate: StageScores | None,
    level: float,
    draws: int,
) -> Power:
    rng = np.random.default_rng(0)
    pairs = paired(margin.metric, candidate or baseline, baseline)
    differences, is_seen = np.asarray(pairs.differences), not pairs.is_the_same
    if not is_seen:
        values = list(baseline.values[as_judged(margin.metric)].values())
        differences = assumed_differences(np.asarray(values), rng)
    # worse is below zero from here on
    if margin.direction() == "less":
        differences = -differences
    size = margin_size(margin, pairs.baseline)
    falls = [_fall(margin, differences, pairs, size, rng) for _ in range(draws)]
    outcomes = [_outcome(values, clusters, size, pairs.bound, level) for values, clusters in falls]
    spread = float(np.concatenate([values for values, _ in falls]).std())
    return Power(
        metric=margin.metric,
        margin=size,
        n=differences.size,
        changed=float(np.mean(differences != 0)),
        is_seen=is_seen,
        caught=outcomes.count("regressed") / draws,
        let_through=sum(found in ("improved", "non-inferior") for found in outcomes) / draws,
        needed=needed_for_margin(size, spread, level) if pairs.clusters is None else None,
        draws=draws,
    )


def _power_of_recipes(
    margin: Margin, baseline: StageScores, candidate: StageScores | None, level: float
) -> Power:
    found = paired_recipes(margin.metric, candidate or baseline, baseline)
    size, parts = margin_size(margin, found.pairs.baseline), found.parts
    is_seen = not found.pairs.is_the_same
    differences = np.asarray(found.pairs.differences)
    if not is_seen:
        means = np.array(list(baseline.values[margin.metric].values()))
        differences = assumed_differences(means, np.random.default_rng(0))
        over_problems = float(differences.var()) / differences.size
        within = parts.within**2 * sum(1 / count for count in found.seeds)
        parts = replace(parts, problems=sqrt(max(0.0, over_problems - within)))
    return Power(
        metric=margin.metric,
        margin=size,
        n=differences.size,
        changed=float(np.mean(differences != 0)),
        is_seen=is_seen,
        caught=power(parts, found.seeds, size, level),
        let_through=power(parts, found.seeds, 0.0),
        needed=None,
        draws=0,
        seeds=found.seeds,
        needed_seeds=seeds_needed(parts, size, level),
    )


def assumed_differences(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return differences as if half of the problems got a value like another problem's: two sides
    that go together by one half.
    """
    differences: np.ndarray = rng.permutation(values) - values
    differences[rng.random(values.size) < 0.5] = 0.0
    return differences


def fallen(
    differences: np.ndarray, fall: float, bound: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw as many differences whose mean is truly -`fall`, each as large as one that was seen.

    Their signs are drawn so that it is. Where too few problems change for such a fall, others
    change by the whole `bound`, too.
    """
    sizes: np.ndarray = np.abs(rng.choice(differences, differences.size))
    moved = float(np.abs(differences).mean())
    if moved >= fall:
        sizes[rng.random(sizes.size) < (1 + fall / moved) / 2] *= -1
        return sizes
    still = float(np.mean(differences == 0))
    more = (fall - moved) / (bound * still)
    sizes[(sizes == 0) & (rng.random(sizes.size) < more)] = bound
    return -sizes


def _fall(
    margin: Margin, differences: np.ndarray, pairs: Paired, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, list[str] | None]:
    """Draw a fall by `size`, and the clusters of its problems where they come in clusters, which
    are drawn whole.
    """
    if pairs.clusters is None and measure(margin.metric).unit == "share":
        return fallen(differences, size, pairs.bound, rng), None
    shifted = differences - differences.mean() - size
    if pairs.clusters is None:
        return rng.choice(shifted, shifted.size), None
    names, groups = np.unique(list(pairs.clusters), return_inverse=True)
    drawn = [np.flatnonzero(groups == pick) for pick in rng.integers(len(names), size=len(names))]
    labels = [str(place) for place, members in enumerate(drawn) for _ in members]
    return shifted[np.concatenate(drawn)], labels


def _outcome(
    differences: np.ndarray, clusters: Sequence[str] | None, size: float, bound: float, level: float
) -> str:
    found = bounds_of(differences.tolist(), bound, clusters)
    p = one_sided_p(found.p, found.delta, "more")
    return decide(found.low, found.high, size, "more", worse=p < level)[0]
