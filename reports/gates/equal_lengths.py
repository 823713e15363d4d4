"""A win rate at equal lengths as a gate's evidence: it is fitted, not averaged, and an extrapolated
one is no evidence.
"""

from stagelift.evals.metrics.measures import as_judged
from stagelift.evals.stats.difference import difference
from stagelift.evals.stats.length_control import (
    LengthControlled,
    Scored,
    length_controlled,
    length_controlled_difference,
)
from stagelift.evals.stats.power import Difference, one_sided_bounds, spread
from stagelift.reports.gates.evidence import Evidence, one_sided_p, same_responses
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.pairs import CONFIDENCE
from stagelift.reports.gates.scores import StageScores


def evidence_at_equal_lengths(
    margin: Margin, candidate: StageScores, baseline: StageScores
) -> Evidence:
    """Measure a win rate at equal lengths on the problems that both sides have.

    Raises NotComparableError where it cannot be fitted, or extrapolates.
    """
    shared, missing = _known(as_judged(margin.metric), candidate, baseline)
    first, second = (_columns(margin.metric, scores, shared) for scores in (candidate, baseline))
    mine, theirs = length_controlled(*first), length_controlled(*second)
    found = length_controlled_difference(first, second)
    if found is None or mine is None or theirs is None:
        raise NotComparableError(
            margin.metric, f"Not comparable: '{margin.metric}' cannot be fitted on these pairs."
        )
    if found.p is not None:
        _refuse_extrapolation(margin.metric, mine, theirs)
    low, high, p, sd = _bounds(found, margin)
    return Evidence(
        margin=margin,
        size=margin.size / 100,
        baseline=theirs.value,
        candidate=mine.value,
        delta=found.delta,
        low=low,
        high=high,
        p=p,
        n=found.n,
        sd=sd,
        bound=1.0,
        missing=missing,
        clusters=None,
        same_responses=same_responses(margin.metric, candidate, baseline),
        same_values=found.p is None,
    )


def _known(name: str, candidate: StageScores, baseline: StageScores) -> tuple[list[str], int]:
    """Return the problems whose verdict and lengths both sides have, and how many one has."""
    mine, theirs = (
        scores.values[name].keys() & scores.lengths[name].keys() for scores in (candidate, baseline)
    )
    return sorted(mine & theirs), len(mine ^ theirs)


def _columns(metric: str, scores: StageScores, problems: list[str]) -> Scored:
    name = as_judged(metric)
    return (
        [scores.values[name][problem] for problem in problems],
        [scores.lengths[name][problem] for problem in problems],
    )


def _refuse_extrapolation(metric: str, mine: LengthControlled, theirs: LengthControlled) -> None:
    for side, estimate in (("candidate", mine), ("baseline", theirs)):
        if estimate.extrapolates:
            raise NotComparableError(
                metric,
                f"Not comparable: the {side} is longer in {100 * estimate.longer:.1f}% of its "
                f"pairs, so that '{metric}' extrapolates (it would be {100 * mine.value:.1f}% "
                f"against {100 * theirs.value:.1f}%). Gate the win rate itself.",
            )


def _bounds(found: Difference, margin: Margin) -> tuple[float, float, float, float]:
    """Return both bounds, the p of being worse and the spread; where no problem differs, those of
    the win rate itself.
    """
    if found.p is None:
        same = difference([0.0] * found.n, bound=1.0, confidence=CONFIDENCE)
        return same.low, same.high, 1.0, 0.0
    low, high = one_sided_bounds(found)
    return low, high, one_sided_p(found.p, found.delta, margin.direction()), spread(found)
