"""Rank the stages of a run by all their judged pairs together: Bradley-Terry, ties as halves, base
at zero.

One number per stage where every pair of stages was not judged; it trusts the judge, and that
strengths add up.
"""

from dataclasses import dataclass

from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.records import Group, Metric
from stagelift.evals.stats.bradley_terry import Match, bradley_terry
from stagelift.reports.records import RunRecord

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
    base, matches = run.stages[0].name, []
    for before, stage in run.steps():
        for group in _JUDGED:
            others = {
                win_rate_name("previous", group): before.name,
                win_rate_name("base", group): base,
            }
            # one where they are one
            played = {other: name for name, other in others.items() if name in stage.verdicts}
            for other, name in played.items():
                matches += [
                    # base comes first: it is the zero
                    Match(verdict.id, other, stage.name, 1 - verdict.score)
                    for verdict in stage.verdicts[name].values()
                    if verdict.score is not None
                ]
    strengths = bradley_terry(matches) if matches else None
    ranked = sorted((strengths or {}).items(), key=lambda item: -item[1].value)
    return [Strength(stage, base, strength) for stage, strength in ranked]
