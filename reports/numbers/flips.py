"""Which problems a stage fixed, which it broke and which it left as they were, against the stage
before it.
"""

from typing import NamedTuple

from stagelift.evals.records import Score
from stagelift.reports.records import StageRecord


class Flips(NamedTuple):
    """Problem ids by what became of their correctness, in the order they were asked."""

    fixed: list[str]
    broken: list[str]
    still_right: list[str]
    still_wrong: list[str]


def flips(stage: StageRecord, previous: StageRecord) -> Flips:
    """Sort the `test` problems that both stages were scored on (numeric reading of the first
    sample).
    """
    now, before = stage.first_scores(), previous.first_scores()
    changed = Flips([], [], [], [])
    for problem, score in now.items():
        if problem in before and _is_scored(score) and _is_scored(before[problem]):
            _list_of(changed, before[problem], score).append(problem)
    return changed


def _list_of(changed: Flips, before: Score, now: Score) -> list[str]:
    if before.correct:
        return changed.still_right if now.correct else changed.broken
    return changed.fixed if now.correct else changed.still_wrong


def _is_scored(score: Score) -> bool:
    return score.group == "test" and score.correct is not None
