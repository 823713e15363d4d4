"""From a p value and a direction to a verdict: the one rule of every table."""

from typing import Literal

from stagelift.evals.metrics.measures import measure

Decision = Literal[
    "improved", "regressed", "changed", "no difference shown", "identical", "extrapolated"
]
ALPHA = 0.05


def decide(metric: str, delta: float, p_adjusted: float | None) -> Decision:
    """Return the verdict on a difference; without a p value all pairs are identical.

    What has no better direction has only `changed`.
    """
    if p_adjusted is None:
        return "identical"
    if p_adjusted >= ALPHA:
        return "no difference shown"
    better = measure(metric).better
    if better is None:
        return "changed"
    is_improved = delta > 0 if better == "more" else delta < 0
    return "improved" if is_improved else "regressed"
