"""Where a stage's accuracy came from: its difference to the stage before, split exactly by how
responses used to fail.

From no readable answer to a right one is format, from cut off or looping to right stopping, from
wrong to right reasoning; each minus the reverse. It does not say why an answer became right:
`reasoning` is whatever turned a readable wrong number into the right one, and a lucky number
counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, get_args

from stagelift.evals.metrics.measures import SHARE, leading, measure, ordered
from stagelift.evals.metrics.own_scores import outcome_of
from stagelift.evals.records import Outcome, Score
from stagelift.evals.stats.difference import difference
from stagelift.reports.records import RunRecord, StageRecord

Cause = Literal["format", "stopping", "reasoning"]
_CAUSES: dict[Cause, tuple[Outcome, ...]] = {
    "format": ("unparsed",),
    "stopping": ("truncated", "looping"),
    "reasoning": ("wrong",),
}
_ACCURACIES = ("accuracy", "accuracy_held_out")


@dataclass(frozen=True)
class Part:
    """What one cause added (shares of problems): `delta` is `gained` minus `lost`, with its paired
    95% interval.
    """

    cause: Cause
    gained: float
    lost: float
    delta: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """The accuracy difference of a stage to `against`, the stage before it, over n problems; the
    parts sum to `delta`.

    There is no `stopping` part where it is not known of any response that it was cut off: those are
    among the other two.
    """

    run: str
    metric: str
    stage: str
    against: str
    delta: float
    n: int
    parts: list[Part]


def gains(run: RunRecord) -> list[Gain]:
    """Split every stage's difference in numeric accuracy to the stage before, on test and held-out
    problems; in a user's tasks that of every score that is a share.
    """
    return [
        gain
        for before, stage in run.steps()
        for metric in _split(stage)
        if (gain := _gain(metric, stage, before)) is not None
    ]


def _split(stage: StageRecord) -> list[str]:
    """Name the metrics that are split."""
    names = ordered(stage.evaluation.metrics)
    own = [name for name in names if measure(name).family == "own score"]
    ours = _ACCURACIES if leading(names) not in own else ()
    return [*ours, *(name for name in own if measure(name).bounds == SHARE)]


def _gain(metric: str, stage: StageRecord, before: StageRecord) -> Gain | None:
    now, then = _outcome_shares(stage.scores, metric), _outcome_shares(before.scores, metric)
    shared = [(then[problem], now[problem]) for problem in now if problem in then]
    if not shared:
        return None
    group = measure(metric).group
    asked = [score for score in (*stage.scores, *before.scores) if score.group == group]
    causes = dict(_CAUSES)
    if not _is_truncation_known(asked):
        del causes["stopping"]
    known = stage.clusters(metric)
    clusters = [known.get(problem, problem) for problem in now if problem in then]
    parts = [
        _part(cause, outcomes, shared, clusters if known else None)
        for cause, outcomes in causes.items()
    ]
    delta = sum(now["correct"] - then["correct"] for then, now in shared) / len(shared)
    return Gain(stage.run, metric, stage.name, before.name, delta, len(shared), parts)


def _is_truncation_known(scores: Sequence[Score]) -> bool:
    are_all_known = all(score.truncated is not None for score in scores)
    return are_all_known or any(score.outcome in _CAUSES["stopping"] for score in scores)


def _outcome_shares(scores: Sequence[Score], metric: str) -> dict[str, dict[Outcome, float]]:
    """Return the share of each outcome among the samples of each problem; with one sample that is 0
    or 1, but for a score that is right in part: the rest of it failed as the response did.
    """
    samples: dict[str, list[dict[Outcome, float]]] = {}
    for score in scores:
        if score.group == measure(metric).group and (parts := _parts_of(score, metric)):
            samples.setdefault(score.id, []).append(parts)
    return {
        problem: {
            outcome: fmean(parts.get(outcome, 0.0) for parts in seen)
            for outcome in get_args(Outcome)
        }
        for problem, seen in samples.items()
    }


def _parts_of(score: Score, metric: str) -> dict[Outcome, float]:
    """Say which share of a response's worth was met, and how the rest failed; empty where nothing
    was measured.
    """
    if measure(metric).family != "own score":
        return {} if score.outcome is None else {score.outcome: 1.0}
    scored = score.scored.get(metric)
    if scored is None or scored.value is None:
        return {}
    outcome = outcome_of(scored, truncated=score.truncated is True)
    if outcome is None or outcome == "correct":
        return {"correct": 1.0}
    if score.looping:
        outcome = "looping"
    return {"correct": scored.value, outcome: 1 - scored.value}


def _part(
    cause: Cause,
    outcomes: Sequence[Outcome],
    shared: Sequence[tuple[dict[Outcome, float], dict[Outcome, float]]],
    clusters: Sequence[str] | None,
) -> Part:
    """Pair every sample before with every sample after, problem by problem; so the parts sum to the
    difference exactly.
    """
    gained = [_sum(then, outcomes) * now["correct"] for then, now in shared]
    lost = [then["correct"] * _sum(now, outcomes) for then, now in shared]
    moved = [up - down for up, down in zip(gained, lost, strict=True)]
    added = difference(moved, bound=1.0, clusters=clusters)
    return Part(
        cause=cause,
        gained=sum(gained) / len(shared),
        lost=sum(lost) / len(shared),
        delta=added.delta,
        low=added.low,
        high=added.high,
    )


def _sum(shares: dict[Outcome, float], outcomes: Sequence[Outcome]) -> float:
    return sum(shares[outcome] for outcome in outcomes)
