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
    scored = [
        one
        for one, score in now.items()
        if one in before and _is_scored(score) and _is_scored(before[one])
    ]

    def where(was: bool, became: bool) -> list[str]:
        return [one for one in scored if before[one].correct is was and now[one].correct is became]

    return Flips(where(False, True), where(True, False), where(True, True), where(False, False))


def _is_scored(score: Score) -> bool:
    return score.group == "test" and score.correct is not None
