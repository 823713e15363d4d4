"""The rule of the regression check: is the candidate worse than the baseline by more than a margin?

Paired by prompt, with one-sided 5% bounds L and U of the difference, better being positive: L > 0
improved; else L > -margin non-inferior; else U < 0 regressed; else inconclusive. "Regressed" says
that it is worse, and that more than the margin cannot be excluded; it is Holm-adjusted over the
gates that decide, so that equal sides regress on any of them in at most 5% of checks. That all hold
needs no adjustment (intersection-union). Of two checkpoints it does not know the training seed;
with several seeds on a side, the bounds are of the recipes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stagelift.evals.stats.families import ALPHA, holm
from stagelift.evals.stats.two_levels import seed_noise
from stagelift.reports.gates.evidence import Evidence
from stagelift.reports.gates.margins import Direction, Tier

Outcome = Literal["improved", "non-inferior", "regressed", "inconclusive", "identical"]
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

    `margin` is in that unit, too; `given_by` says where it was declared. `p` is one-sided, of being
    worse (two-sided where either direction is), `p_adjusted` after Holm, None where the gate is
    advisory. `warns` where it is significantly worse, though within the margin. `needed` is how
    many prompts would make an inconclusive check conclusive with 80% power, were both equally good.
    `missing` problems have the metric on one side only. `same_responses`: byte for byte.

    Of recipes, `seeds` counts those of candidate and baseline; `needed_seeds` is how many a side
    would be conclusive (None: more than 100), and `seed_noise` how much two trainings that differ
    in their seed alone may differ.
    """

    metric: str
    tier: Tier
    outcome: Outcome
    baseline: float
    candidate: float
    delta: float
    low: float
    high: float
    margin: float
    given_by: str
    n: int
    p: float
    p_adjusted: float | None
    warns: bool
    needed: int | None
    missing: int = 0
    same_responses: bool = False
    seeds: tuple[int, int] | None = None
    needed_seeds: int | None = None
    seed_noise: float | None = None

    @property
    def fails(self) -> bool:
        """Whether the check cannot pass with it."""
        match self.tier:
            case "critical":
                return self.outcome in ("regressed", "inconclusive")
            case "supporting":
                return self.outcome == "regressed"
            case "advisory":
                return False


def decide_all(measured: Sequence[Evidence]) -> list[Gate]:
    """Decide on every metric, "regressed" Holm-adjusted over those that are not advisory."""
    family = [found for found in measured if found.margin.tier != "advisory"]
    adjusted = dict(
        zip(
            (found.margin.metric for found in family),
            holm([found.p for found in family]),
            strict=True,
        )
    )
    return [_decided(found, adjusted.get(found.margin.metric)) for found in measured]


def overall(gates: Sequence[Gate]) -> Outcome:
    """Return what the gates make together: every critical one must hold (intersection-union), and
    no supporting one may have regressed.
    """
    counted = [gate.outcome for gate in gates if decides(gate)]
    return min(counted, key=_WORST_FIRST.index)


def decides(gate: Gate) -> bool:
    """Say whether a gate counts in what all make together."""
    return gate.tier == "critical" or gate.fails


def decide(
    low: float, high: float, margin: float, direction: Direction, *, worse: bool
) -> tuple[Outcome, bool]:
    """Apply the rule to the bounds of candidate minus baseline; return the outcome and whether it
    warns. `worse` says whether it was shown to be worse (in either direction, where both are).
    """
    if direction == "less":
        low, high = -high, -low
    if direction == "same":
        if -margin < low and high < margin:
            return "non-inferior", low > 0 or high < 0
        return ("regressed" if worse else "inconclusive"), False
    if low > 0:
        return "improved", False
    if low > -margin:
        return "non-inferior", high < 0
    return ("regressed" if worse else "inconclusive"), False


def _decided(found: Evidence, adjusted: float | None) -> Gate:
    p = found.p if adjusted is None else adjusted
    outcome, warns = decide(
        found.low, found.high, found.size, found.margin.direction(), worse=p < ALPHA
    )
    if outcome == "non-inferior" and found.is_identical:
        outcome = "identical"
    recipes = found.recipes
    return Gate(
        metric=found.margin.metric,
        tier=found.margin.tier,
        outcome=outcome,
        baseline=found.baseline,
        candidate=found.candidate,
        delta=found.delta,
        low=found.low,
        high=found.high,
        margin=found.size,
        given_by=found.margin.given_by,
        n=found.n,
        p=found.p,
        p_adjusted=adjusted,
        warns=warns,
        needed=found.needed() if outcome == "inconclusive" else None,
        missing=found.missing,
        same_responses=found.same_responses,
        seeds=None if recipes is None else recipes.seeds,
        needed_seeds=found.needed_seeds() if outcome == "inconclusive" else None,
        seed_noise=None if recipes is None else seed_noise(recipes.parts, recipes.seeds),
    )
