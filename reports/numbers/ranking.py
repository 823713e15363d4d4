"""Rank the stages of a run by all their judged pairs together: Bradley-Terry, ties as halves, base
at zero.

One number per stage where every pair of stages was not judged; it trusts the judge, and that
strengths add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.records import Group, Metric
from stagelift.evals.stats.bradley_terry import Match, bradley_terry
from stagelift.reports.records import RunRecord, StageRecord

_JUDGED: tuple[Group, ...] = ("test", "preference")


@dataclass(frozen=True)
class Strength:
    """A stage's log-odds of winning against `reference`, with the number of prompts."""

    stage: str
    reference: str
    strength: Metric


def rank_stages(run: RunRecord) -> list[Strength]:
    """Return the stages with base, strongest first; empty with fewer than three stages, several
    bases or no verdicts.
    """
    bases = {run.base(stage).name for stage in run.stages}
    if len(run.stages) < 3 or len(bases) > 1:
        return []
    base = run.stages[0].name
    matches = [
        match
        for before, stage in run.steps()
        for group in _JUDGED
        for match in _matches(stage, before.name, base, group)
    ]
    if not matches:
        return []
    strengths = bradley_terry(matches) or {}
    ranked = sorted(strengths.items(), key=lambda item: -item[1].value)
    return [Strength(stage, base, strength) for stage, strength in ranked]


def _matches(stage: StageRecord, previous: str, base: str, group: Group) -> Iterator[Match]:
    names = {win_rate_name("previous", group): previous, win_rate_name("base", group): base}
    # of the first trained stage both are matches against base, and count once
    judged = {opponent: name for name, opponent in names.items() if name in stage.verdicts}
    for opponent, name in judged.items():
        for verdict in stage.verdicts[name].values():
            if verdict.score is not None:
                # the opponent comes first, so that base is the first model named: the zero
                yield Match(verdict.id, opponent, stage.name, 1 - verdict.score)
