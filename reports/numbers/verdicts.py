"""From a difference to a verdict: the one rule of every table.

Interval and verdict tell one story: only an interval that leaves out zero has a verdict with a
direction, and where its family of tests takes that away, the verdict says so.
"""

from typing import Literal

from stagelift.evals.metrics.measures import Family, measure
from stagelift.evals.stats.difference import Difference
from stagelift.evals.stats.families import ALPHA

Decision = Literal[
    "improved",
    "regressed",
    "longer",
    "shorter",
    "slower",
    "faster",
    "not after Holm",
    "no difference shown",
    "identical",
    "extrapolated",
]
# verdicts that claim a difference
SHOWN: tuple[Decision, ...] = ("improved", "regressed", "longer", "shorter", "slower", "faster")
# what is called more and less where a report knows no better direction
_NEUTRAL: dict[Family, tuple[Decision, Decision]] = {
    "length": ("longer", "shorter"),
    "time": ("slower", "faster"),
}


def decide(metric: str, difference: Difference, p_adjusted: float) -> Decision:
    """Return the verdict on a difference of which its family left `p_adjusted`."""
    if difference.low <= 0 <= difference.high:
        return "no difference shown"
    if p_adjusted >= ALPHA:
        return "not after Holm"
    known, is_more = measure(metric), difference.low > 0
    more, less = _NEUTRAL.get(known.family, ("improved", "regressed"))
    if known.family not in _NEUTRAL and known.better == "less":
        more, less = less, more
    return more if is_more else less
