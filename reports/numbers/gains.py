"""Where a stage's accuracy came from: its difference to the stage before, split exactly by how
responses used to fail.

From no readable answer to a right one is format, from cut off to right stopping, from wrong to
right reasoning; each minus the reverse. It does not say why an answer became right: `reasoning` is
whatever turned a readable wrong number into the right one, and a lucky number counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stagelift.evals.records import Group, Outcome, Score
from stagelift.evals.stats.difference import difference
from stagelift.reports.records import RunRecord, StageRecord

Cause = Literal["format", "stopping", "reasoning"]
_CAUSES: dict[Outcome, Cause] = {
    "unparsed": "format",
    "truncated": "stopping",
    "wrong": "reasoning",
}
_METRICS: dict[str, Group] = {"accuracy": "test", "accuracy_held_out": "held_out"}


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
    problems.
    """
    return [
        gain
        for before, stage in run.steps()
        for metric, group in _METRICS.items()
        if (gain := _gain(metric, group, stage, before)) is not None
    ]


def _gain(metric: str, group: Group, stage: StageRecord, before: StageRecord) -> Gain | None:
    now, then = _outcome_shares(stage.scores, group), _outcome_shares(before.scores, group)
    shared = [(then[problem], now[problem]) for problem in now if problem in then]
    if not shared:
        return None
    asked = [score for score in (*stage.scores, *before.scores) if score.group == group]
    causes = dict(_CAUSES)
    if not _is_truncation_known(asked):
        del causes["truncated"]
    known = stage.clusters(metric)
    clusters = [known.get(problem, problem) for problem in now if problem in then]
    parts = [
        _part(outcome, cause, shared, clusters if known else None)
        for outcome, cause in causes.items()
    ]
    delta = sum(now["correct"] - then["correct"] for then, now in shared) / len(shared)
    return Gain(stage.run, metric, stage.name, before.name, delta, len(shared), parts)


def _is_truncation_known(scores: Sequence[Score]) -> bool:
    are_all_known = all(score.truncated is not None for score in scores)
    return are_all_known or any(score.outcome == "truncated" for score in scores)


def _outcome_shares(scores: Sequence[Score], group: Group) -> dict[str, dict[Outcome, float]]:
    """Return the share of each outcome among the samples of each problem; with one sample that is 0
    or 1.
    """
    samples: dict[str, list[Outcome]] = {}
    for score in scores:
        if score.group == group and score.outcome is not None:
            samples.setdefault(score.id, []).append(score.outcome)
    return {
        problem: {outcome: seen.count(outcome) / len(seen) for outcome in ("correct", *_CAUSES)}
        for problem, seen in samples.items()
    }


def _part(
    outcome: Outcome,
    cause: Cause,
    shared: Sequence[tuple[dict[Outcome, float], dict[Outcome, float]]],
    clusters: Sequence[str] | None,
) -> Part:
    """Pair every sample before with every sample after, problem by problem; so the parts sum to the
    difference exactly.
    """
    gained = [then[outcome] * now["correct"] for then, now in shared]
    lost = [then["correct"] * now[outcome] for then, now in shared]
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
