"""The regression check: a candidate's scores against a baseline's, metric by metric, each with its
margin.

Both sides must have been measured under one contract, on the same prompts and by a judge that was
not found unfit; otherwise there is no answer, and the field that differs is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stagelift.evals.stats.length_control import length_controlled, length_controlled_difference
from stagelift.reports.gates.gate import Direction, Gate, Outcome, gate, gate_estimate, worst
from stagelift.reports.gates.margins import Margin, default_margins
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.numbers.values import better
from stagelift.reports.words.formatting import is_share


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
        raise ValueError(
            "There is nothing to gate: the two sides share none of accuracy, win_rate_base, "
            "length_tokens."
        )
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
    controlled = {_controlled(name) for name in scores.lengths if name in scores.values}
    return {name for name in {*scores.values, *controlled} if "previous" not in name}


def regressed_copy(scores: StageScores, margins: Sequence[Margin]) -> StageScores:
    """Return a copy that is worse by each margin's size: what a gate must fire on."""
    values = dict(scores.values)
    for margin in margins or default_margins(gateable(scores)):
        name = _raw(margin.metric)
        if name in values:
            values[name] = _worse(values[name], margin)
    return scores.model_copy(update={"values": values, "run": f"{scores.run}, made worse"})


def _refuse_other_contract(candidate: StageScores, baseline: StageScores) -> None:
    for field in sorted({*candidate.contract, *baseline.contract}):
        mine, theirs = candidate.contract.get(field), baseline.contract.get(field)
        if mine != theirs:
            raise NotComparableError(
                field,
                f"Not comparable: {field} is {mine!r} in the candidate's contract and {theirs!r} "
                "in the baseline's. Evaluate both in one way, or bless a new baseline.",
            )


def _refuse_missing_metric(margin: Margin, candidate: StageScores, baseline: StageScores) -> None:
    for side, scores in (("candidate", candidate), ("baseline", baseline)):
        known = gateable(scores)
        if margin.metric not in known:
            raise ValueError(
                f"The {side} has no scores of '{margin.metric}' by prompt. It has: "
                f"{', '.join(sorted(known))}."
            )
        if margin.metric.startswith("win_rate") and scores.fit is False:
            raise NotComparableError(
                "judge",
                f"Not comparable: the {side}'s judge {scores.contract.get('judge')!r} is not fit "
                "to decide.",
            )
    if "_base" in margin.metric and candidate.opponent != baseline.opponent:
        raise NotComparableError(
            "base",
            f"Not comparable: '{margin.metric}' is against base, and the two sides' base models "
            "answer differently.",
        )


def _refuse_missing_prompts(
    margin: Margin, candidate: StageScores, baseline: StageScores, allowed: int
) -> int:
    mine, theirs = (scores.values[_raw(margin.metric)].keys() for scores in (candidate, baseline))
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
    name = _raw(margin.metric)
    shared = sorted(candidate.values[name].keys() & baseline.values[name].keys())
    if name != margin.metric:
        return _gate_at_equal_lengths(margin, shared, candidate, baseline)
    mine, theirs = (
        [scores.values[name][one] for one in shared] for scores in (candidate, baseline)
    )
    is_share = not name.startswith("length_")
    size = margin.size / 100 if is_share else margin.size / 100 * sum(theirs) / len(theirs)
    bound = 1.0 if is_share and min(*mine, *theirs) >= 0 and max(*mine, *theirs) <= 1 else None
    return gate(name, mine, theirs, size, _direction(margin), bound)


def _gate_at_equal_lengths(
    margin: Margin, shared: Sequence[str], candidate: StageScores, baseline: StageScores
) -> Gate:
    name = _raw(margin.metric)
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


def _controlled(win_rate: str) -> str:
    return win_rate.replace("win_rate", "win_rate_lc", 1)


def _raw(metric: str) -> str:
    return metric.replace("win_rate_lc", "win_rate", 1)


def _direction(margin: Margin) -> Direction:
    if margin.both:
        return "same"
    return "less" if better(margin.metric) < 0 else "more"


def _worse(values: Mapping[str, float], margin: Margin) -> dict[str, float]:
    """Lengthen every response by the margin, or take away from shares, prompt by prompt, until the
    mean has lost it.
    """
    if not is_share(margin.metric):
        return {one: value * (1 + margin.size / 100) for one, value in values.items()}
    less = _direction(margin) == "less"
    left, made = margin.size / 100 * len(values), {}
    for one, value in values.items():
        taken = min(left, 1 - value if less else value)
        taken = (
            taken
            if margin.metric.startswith("win_rate")
            else float(taken > 0) * (1 - value if less else value)
        )
        made[one] = value + taken if less else value - taken
        left = max(0.0, left - taken)
    return made
