"""Which problems a stage fixed and which it broke, against the stage before it."""

from typing import NamedTuple

from evals.records import Score
from reports.records import StageRecord


class Flips(NamedTuple):
    """Problem ids whose correctness changed, in the order they were asked."""

    fixed: list[str]
    broken: list[str]


def flips(stage: StageRecord, previous: StageRecord) -> Flips:
    """Split the `test` problems that changed between right and wrong (flexible filter)."""

    def changed(to_correct: bool) -> list[str]:
        return [
            problem
            for problem, score in stage.scores.items()
            if score.group == "test" and _flipped(score, previous.scores[problem], to_correct)
        ]

    return Flips(changed(True), changed(False))


def _flipped(now: Score, before: Score, to_correct: bool) -> bool:
    return now.correct == to_correct and before.correct != to_correct
