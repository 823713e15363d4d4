"""A win rate at equal lengths as a gate's evidence: it is fitted, not averaged, and an extrapolated
one is no evidence.
"""

from stagelift.evals.metrics.measures import as_judged
from stagelift.evals.stats.length_control import (
    LengthControlled,
    Scored,
    difference_at_equal_lengths,
    length_controlled,
)
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
    found = difference_at_equal_lengths(first, second, CONFIDENCE)
    if found is None or mine is None or theirs is None:
        raise NotComparableError(
            margin.metric, f"Not comparable: '{margin.metric}' cannot be fitted on these pairs."
        )
    nothing_differs = found.moved == 0
    if not nothing_differs:
        _refuse_extrapolation(margin.metric, mine, theirs)
    return Evidence(
        margin=margin,
        size=margin.size / 100,
        baseline=theirs.value,
        candidate=mine.value,
        delta=found.delta,
        low=found.low,
        high=found.high,
        p=one_sided_p(found.p, found.delta, margin.direction()),
        n=found.n,
        sd=found.sd,
        bound=1.0,
        missing=missing,
        clusters=None,
        same_responses=same_responses(margin.metric, candidate, baseline),
        same_values=nothing_differs,
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
                "pairs of unequal length, or by more than a standard deviation on average, so that "
                f"'{metric}' extrapolates (it would be {100 * mine.value:.1f}% against "
                f"{100 * theirs.value:.1f}%). Gate the win rate itself.",
            )
