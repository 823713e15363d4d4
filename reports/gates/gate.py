"""The rule of the regression check for one metric: is the candidate worse than the baseline by more
than a margin?

Paired by prompt, with one-sided 5% bounds L and U of the difference, better being positive: L > 0
improved; else L > -margin non-inferior; else U < 0 regressed; else inconclusive. "Regressed" says
that it is worse, and that more than the margin cannot be excluded. It does not know of the training
seed: both sides are one checkpoint each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Literal

from stagelift.evals.stats import tests
from stagelift.evals.stats.power import Difference, one_sided_bounds, prompts_for_margin, spread

Outcome = Literal["improved", "non-inferior", "regressed", "inconclusive", "identical"]
# what is better
Direction = Literal["more", "less", "same"]
_WORST_FIRST: tuple[Outcome, ...] = (
    "regressed",
    "inconclusive",
    "non-inferior",
    "improved",
    "identical",
)


@dataclass(frozen=True)
class Gate:
    """A gated metric: the difference to the baseline with its bounds, all in the metric's own unit
    and direction.

    `margin` is in that unit, too. `warns` where it is significantly worse, though within the
    margin. `needed` is how many prompts would make an inconclusive check conclusive with 80% power,
    were both equally good.
    """

    metric: str
    outcome: Outcome
    baseline: float
    candidate: float
    delta: float
    low: float
    high: float
    margin: float
    n: int
    warns: bool
    needed: int | None


def gate(
    metric: str,
    candidate: Sequence[float],
    baseline: Sequence[float],
    margin: float,
    direction: Direction,
    bound: float | None,
) -> Gate:
    """Decide on values aligned by prompt.

    `direction` is what is better; `bound` the largest difference there can be.
    """
    differences = [one - other for one, other in zip(candidate, baseline, strict=True)]
    binary = bound == 1.0 and {*candidate, *baseline} <= {0.0, 1.0}
    bounds = tests.bounds(differences, binary=binary, bound=bound)
    n = len(differences)
    sd = stdev(differences) if n > 1 else 0.0
    means = sum(baseline) / n, sum(candidate) / n
    return _gate(metric, means, bounds, margin, direction, n, sd)


def gate_estimate(
    metric: str, baseline: float, candidate: float, found: Difference, margin: float
) -> Gate:
    """Decide on an estimate that is no mean over prompts: a win rate at equal lengths, of which
    more is better.
    """
    return _gate(
        metric,
        (baseline, candidate),
        one_sided_bounds(found),
        margin,
        "more",
        found.n,
        spread(found),
    )


def _gate(
    metric: str,
    means: tuple[float, float],
    bounds: tuple[float, float],
    margin: float,
    direction: Direction,
    n: int,
    sd: float,
) -> Gate:
    baseline, candidate = means
    low, high = bounds
    identical = low == high == 0
    outcome, warns = decide(low, high, margin, direction, identical=identical)
    needed = prompts_for_margin(margin, sd) if outcome == "inconclusive" else None
    return Gate(
        metric,
        outcome,
        baseline,
        candidate,
        candidate - baseline,
        low,
        high,
        margin,
        n,
        warns,
        needed,
    )


def decide(
    low: float, high: float, margin: float, direction: Direction, *, identical: bool
) -> tuple[Outcome, bool]:
    """Apply the rule to the bounds of candidate minus baseline; return the outcome and whether it
    warns.
    """
    if identical:
        return "identical", False
    if direction == "more":
        return _one_sided(low, high, margin)
    if direction == "less":
        return _one_sided(-high, -low, margin)
    sides = [_one_sided(low, high, margin), _one_sided(-high, -low, margin)]
    outcome = worst([outcome for outcome, _ in sides])
    return outcome, outcome == "non-inferior" and any(warns for _, warns in sides)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what several outcomes make together: all must hold (intersection-union), so the worst
    one counts.
    """
    return min(outcomes, key=_WORST_FIRST.index)


def _one_sided(low: float, high: float, margin: float) -> tuple[Outcome, bool]:
    if low > 0:
        return "improved", False
    if low > -margin:
        return "non-inferior", high < 0
    return ("regressed", False) if high < 0 else ("inconclusive", False)
