"""Which problems a stage fixed and which it broke, against the stage before it."""

from typing import NamedTuple

from evals.records import Score
from reports.records import StageRecord


class Flips(NamedTuple):
    """Problem ids whose correctness changed, in the order they were asked."""

    fixed: list[str]
    broken: list[str]


def flips(stage: StageRecord, previous: StageRecord) -> Flips:
    """Split the `test` problems that changed between right and wrong (numeric reading of the first sample)."""
    earlier = previous.first_scores()

    def changed(to_correct: bool) -> list[str]:
        return [
            problem
            for problem, score in stage.first_scores().items()
            if score.group == "test" and problem in earlier and _flipped(score, earlier[problem], to_correct)
        ]

    return Flips(changed(True), changed(False))


def _flipped(now: Score, before: Score, to_correct: bool) -> bool:
    return now.correct is to_correct and before.correct is (not to_correct)
