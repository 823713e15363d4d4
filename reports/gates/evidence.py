"""What a gate decides on: one metric's difference between two sides, with bounds and a p.

The p is of being worse, one-sided, and below 5% exactly where the bound says so.
"""

import math
from dataclasses import dataclass
from math import floor, sqrt

from scipy.stats import norm

from stagelift.evals.metrics.measures import Family, measure
from stagelift.evals.stats.families import ALPHA
from stagelift.evals.stats.planning import needed_for_margin
from stagelift.evals.stats.two_levels import seeds_needed
from stagelift.reports.gates.margins import Direction, Margin
from stagelift.reports.gates.pairs import Paired, paired
from stagelift.reports.gates.recipe_pairs import PairedRecipes, are_recipes, paired_recipes
from stagelift.reports.gates.scores import StageScores

# what is read off the responses that are compared
_OF_RESPONSES: tuple[Family, ...] = (
    "accuracy",
    "pass@k",
    "win rate",
    "length",
    "cut off",
    "own score",
    "looping",
)


@dataclass(frozen=True)
class Evidence:
    """A difference, candidate minus baseline, in the metric's own unit, as is the margin's `size`.

    `low` and `high` are its one-sided 5% bounds, `p` is of being worse, `n` counts the problems
    that both sides have, `missing` those that one has. `sd` is the spread of the paired
    differences, and `bound` the most that one can be. `clusters` counts clusters where problems
    come in any. `recipes` is None where both sides are one checkpoint.
    """

    margin: Margin
    size: float
    baseline: float
    candidate: float
    delta: float
    low: float
    high: float
    p: float
    n: int
    sd: float
    bound: float
    missing: int
    clusters: int | None
    same_responses: bool
    same_values: bool
    recipes: PairedRecipes | None = None

    @property
    def is_identical(self) -> bool:
        """Whether the responses are the same bytes, and what was read off them is the same."""
        return self.same_responses and self.same_values

    def needed(self) -> int | None:
        """Return how many problems would show that nothing is worse by the margin, with 80% power
        were both equally good; None where problems come in clusters, and of recipes, where it is
        seeds.
        """
        if self.clusters is not None or self.recipes is not None:
            return None
        if self.same_values:
            return needed_without_change(self.size, self.bound)
        return needed_for_margin(self.size, self.sd)

    def needed_seeds(self) -> int | None:
        """Return how many seeds a side would show the same of recipes; None where no number
        would.
        """
        return None if self.recipes is None else seeds_needed(self.recipes.parts, self.size)


def evidence(margin: Margin, candidate: StageScores, baseline: StageScores) -> Evidence:
    """Measure one metric. Raises ValueError where its margin is a percentage of nothing."""
    recipes = None
    if are_recipes(margin.metric, candidate, baseline):
        recipes = paired_recipes(margin.metric, candidate, baseline)
    pairs = paired(margin.metric, candidate, baseline) if recipes is None else recipes.pairs
    return Evidence(
        margin=margin,
        size=margin_size(margin, pairs.baseline),
        baseline=pairs.baseline,
        candidate=pairs.candidate,
        delta=pairs.candidate - pairs.baseline,
        low=pairs.least.low,
        high=pairs.most.high,
        p=_p(pairs, margin.direction()),
        n=len(pairs.differences),
        sd=pairs.least.sd,
        bound=pairs.bound,
        missing=pairs.missing,
        clusters=pairs.least.clusters,
        same_responses=recipes is None and same_responses(margin.metric, candidate, baseline),
        same_values=pairs.is_the_same and not pairs.missing,
        recipes=recipes,
    )


def one_sided_p(p: float, delta: float, direction: Direction) -> float:
    """Turn a two-sided p into that of being worse; where either direction is worse it stays."""
    if math.isnan(p):
        return 1.0
    if direction == "same":
        return p
    is_worse = delta < 0 if direction == "more" else delta > 0
    return p / 2 if is_worse else 1 - p / 2


def margin_size(margin: Margin, baseline: float) -> float:
    """Return a margin in the metric's own unit."""
    if measure(margin.metric).unit == "share":
        return margin.size / 100
    if baseline == 0:
        raise ValueError(
            f"The margin of '{margin.metric}' is {margin.size:g}% of the baseline's mean, which is "
            "0. Gate another metric."
        )
    return abs(baseline) * margin.size / 100


def same_responses(metric: str, candidate: StageScores, baseline: StageScores) -> bool:
    """Say whether a metric is of responses, and these are the same bytes on both sides."""
    known = candidate.answers is not None and candidate.answers == baseline.answers
    return known and measure(metric).family in _OF_RESPONSES


def needed_without_change(margin: float, bound: float) -> int:
    """Return how many problems of which none changes would show that a loss stays below the margin:
    Bonett and Price's bound, solved for n.
    """
    quantile = float(norm.isf(ALPHA))
    return max(1, floor(quantile * sqrt(2) * bound / margin - 2) + 1)


def _p(pairs: Paired, direction: Direction) -> float:
    """Return the p of being worse, of the end that says less; what may have gone either way shows
    no change.
    """
    if direction == "same" and pairs.least.delta < 0 < pairs.most.delta:
        return 1.0
    return max(one_sided_p(end.p, end.delta, direction) for end in (pairs.least, pairs.most))
