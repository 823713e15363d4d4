"""The regression check: a candidate's scores against a baseline's, metric by metric, each with its
margin.

Both sides must have been measured under one contract, on the same prompts and by a judge that was
not found unfit; otherwise there is no answer, and the field that differs is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stagelift.evals.contract import first_difference
from stagelift.evals.metrics.measures import (
    FIXED,
    Measure,
    as_judged,
    at_equal_lengths,
    measure,
)
from stagelift.evals.stats.length_control import length_controlled, length_controlled_difference
from stagelift.reports.gates.gate import Direction, Gate, Outcome, gate, gate_estimate, worst
from stagelift.reports.gates.margins import Margin, default_margins
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.numbers.values import largest_difference


class NotComparableError(Exception):
    """The two sides cannot be compared; `field` names why."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True)
class Check:
    """A check's answer; `missing` is how many prompts only one side has, at most over the gated
    metrics.
    """

    candidate: StageScores
    baseline: StageScores
    gates: list[Gate]
    outcome: Outcome
    missing: int


def check(
    candidate: StageScores,
    baseline: StageScores,
    margins: Sequence[Margin] = (),
    allow_missing: int = 0,
) -> Check:
    """Gate every metric that has a margin.

    Raises NotComparableError, and ValueError for a metric that neither side has.
    """
    _refuse_other_contract(candidate, baseline)
    wanted = list(margins) or default_margins(gateable(candidate) & gateable(baseline))
    if not wanted:
        usual = ", ".join(known.name for known in FIXED if known.margin is not None)
        raise ValueError(f"There is nothing to gate: the two sides share none of {usual}.")
    for margin in wanted:
        _refuse_missing_metric(margin, candidate, baseline)
    missing = max(
        _refuse_missing_prompts(margin, candidate, baseline, allow_missing) for margin in wanted
    )
    gates = [_gate(margin, candidate, baseline) for margin in wanted]
    return Check(candidate, baseline, gates, worst([found.outcome for found in gates]), missing)


def gateable(scores: StageScores) -> set[str]:
    """Name the metrics that can have a margin: those with a value per prompt, and win rates at
    equal lengths.
    """
    controlled = {at_equal_lengths(name) for name in scores.lengths if name in scores.values}
    names = {*scores.values, *controlled}
    return {name for name in names if measure(name).against != "previous"}


def regressed_copy(scores: StageScores, margins: Sequence[Margin]) -> StageScores:
    """Return a copy that is worse by each margin's size: what a gate must fire on."""
    values = dict(scores.values)
    for margin in margins or default_margins(gateable(scores)):
        name = as_judged(margin.metric)
        if name in values:
            values[name] = _worse(values[name], margin)
    return scores.model_copy(update={"values": values, "run": f"{scores.run}, made worse"})


def _refuse_other_contract(candidate: StageScores, baseline: StageScores) -> None:
    difference = first_difference(candidate.contract, baseline.contract)
    if difference is not None:
        raise NotComparableError(
            difference.field,
            f"Not comparable: {difference.field} is {difference.mine!r} in the candidate's "
            f"contract and {difference.theirs!r} in the baseline's. Evaluate both in one way, or "
            "bless a new baseline.",
        )


def _refuse_missing_metric(margin: Margin, candidate: StageScores, baseline: StageScores) -> None:
    gated = measure(margin.metric)
    for side, scores in (("candidate", candidate), ("baseline", baseline)):
        known = gateable(scores)
        if margin.metric not in known:
            raise ValueError(
                f"The {side} has no scores of '{margin.metric}' by prompt. It has: "
                f"{', '.join(sorted(known))}."
            )
        if gated.family == "win rate" and scores.fit is False:
            raise NotComparableError(
                "judge",
                f"Not comparable: the {side}'s judge {scores.contract.get('judge')!r} is not fit "
                "to decide.",
            )
    if gated.against == "base" and candidate.opponent != baseline.opponent:
        raise NotComparableError(
            "base",
            f"Not comparable: '{margin.metric}' is against base, and the two sides' base models "
            "answer differently.",
        )


def _refuse_missing_prompts(
    margin: Margin, candidate: StageScores, baseline: StageScores, allowed: int
) -> int:
    mine, theirs = (
        scores.values[as_judged(margin.metric)].keys() for scores in (candidate, baseline)
    )
    only = sorted(mine ^ theirs)
    if len(only) > allowed or not mine & theirs:
        raise NotComparableError(
            "problems",
            f"Not comparable: {len(only)} of {len(mine | theirs)} problems have a "
            f"'{margin.metric}' on one side only, such as {only[0]!r}. Ask both the same problems, "
            f"or allow so many with --allow-missing {len(only)}.",
        )
    return len(only)


def _gate(margin: Margin, candidate: StageScores, baseline: StageScores) -> Gate:
    gated, name = measure(margin.metric), as_judged(margin.metric)
    shared = sorted(candidate.values[name].keys() & baseline.values[name].keys())
    if gated.equal_lengths:
        return _gate_at_equal_lengths(margin, shared, candidate, baseline)
    mine, theirs = (
        [scores.values[name][one] for one in shared] for scores in (candidate, baseline)
    )
    size = margin.size / 100
    if gated.unit != "share":
        size *= sum(theirs) / len(theirs)
    bound = largest_difference(name, [*mine, *theirs])
    return gate(name, mine, theirs, size, _direction(margin), bound)


def _gate_at_equal_lengths(
    margin: Margin, shared: Sequence[str], candidate: StageScores, baseline: StageScores
) -> Gate:
    name = as_judged(margin.metric)
    known = [
        one for one in shared if one in candidate.lengths[name] and one in baseline.lengths[name]
    ]
    sides = [
        ([scores.values[name][one] for one in known], [scores.lengths[name][one] for one in known])
        for scores in (candidate, baseline)
    ]
    mine, theirs = (length_controlled(*side) for side in sides)
    found = length_controlled_difference(sides[0], sides[1])
    if found is None or mine is None or theirs is None:
        raise NotComparableError(
            margin.metric, f"Not comparable: '{margin.metric}' cannot be fitted on these pairs."
        )
    for side, estimate in (("candidate", mine), ("baseline", theirs)):
        if estimate.extrapolates and found.p is not None:
            raise NotComparableError(
                margin.metric,
                f"Not comparable: the {side} is longer in {100 * estimate.longer:.1f}% of its "
                f"pairs, so that '{margin.metric}' extrapolates (it would be "
                f"{100 * mine.value:.1f}% against {100 * theirs.value:.1f}%). Gate the win rate "
                "itself.",
            )
    return gate_estimate(margin.metric, theirs.value, mine.value, found, margin.size / 100)


def _direction(margin: Margin) -> Direction:
    """Say which direction is better; of what has none, either one is worse."""
    better = measure(margin.metric).better
    return "same" if margin.both or better is None else better


def _worse(values: Mapping[str, float], margin: Margin) -> dict[str, float]:
    """Make values worse by the margin: those in percent by that factor, shares prompt by prompt,
    until the mean has lost it.
    """
    gated = measure(margin.metric)
    if gated.unit == "share":
        return _share_lost(values, margin, gated)
    factor = 1 + margin.size / 100
    if gated.better == "more":
        factor = 1 - margin.size / 100
    return {prompt: value * factor for prompt, value in values.items()}


def _share_lost(values: Mapping[str, float], margin: Margin, gated: Measure) -> dict[str, float]:
    """Take away from the first prompts what all of them are to lose; a judge's scores lose parts,
    what is right or wrong is turned.
    """
    left, made = margin.size / 100 * len(values), {}
    for prompt, value in values.items():
        room = 1 - value if gated.better == "less" else value
        taken = min(left, room)
        if gated.family != "win rate":
            taken = room if taken > 0 else 0.0
        made[prompt] = value + taken if gated.better == "less" else value - taken
        left = max(0.0, left - taken)
    return made
