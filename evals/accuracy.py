"""Accuracy: the share of problems whose final number is right, by lm-eval's strict and flexible filters.

Strict wants `#### n`; flexible takes the last number in the response. It does not measure whether the working is
right, and flexible gives credit for a right number that was cut off in mid-sentence.
"""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from evals.records import Metric, Outcome, Score
from evals.stats import proportion


def accuracy(scores: Sequence[Score]) -> Metric:
    """Share right by the flexible filter, with its Wilson interval."""
    return proportion(sum(score.correct for score in scores), len(scores))


def accuracy_strict(scores: Sequence[Score]) -> Metric:
    """Share right by the strict filter, with its Wilson interval."""
    return proportion(sum(score.correct_strict for score in scores), len(scores))


def count_outcomes(scores: Sequence[Score]) -> dict[Outcome, int]:
    """Count correct, wrong, unparsed and truncated; they sum to the number of problems."""
    counts = Counter(score.outcome for score in scores)
    return {outcome: counts[outcome] for outcome in get_args(Outcome)}
