"""Preference win rate of a stage against a reference model, judged pair by pair on the same prompts.

Every pair is judged in both orders and counts the mean of the two, so a judge's taste for a slot cancels. A win rate
says how often, not by how much, and it is only as good as its judge.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from evals.records import Metric, Score, Verdict
from evals.stats import mean, proportion

Judge = Callable[[Score, Score], tuple[float, str]]


def judge_pairs(
    stage: Sequence[Score], reference: Mapping[str, Score], against: Literal["base", "previous"], judge: Judge
) -> list[Verdict]:
    """Judge each of the stage's responses against the reference's on the same prompt id."""
    return [_judge_both_orders(score, reference[score.id], against, judge) for score in stage]


def _judge_both_orders(score: Score, other: Score, against: Literal["base", "previous"], judge: Judge) -> Verdict:
    as_first, reason = judge(score, other)
    as_second = 1 - judge(other, score)[0]
    return Verdict(id=score.id, against=against, score=(as_first + as_second) / 2, reason=reason)


def win_rate(verdicts: Sequence[Verdict]) -> Metric:
    """Mean score over prompts, ties counting half, with its t interval clipped to [0, 1]."""
    scores = [verdict.score for verdict in verdicts]
    if set(scores) in ({0.0}, {1.0}):  # no spread for a t interval: a share of all, or none
        return proportion(round(sum(scores)), len(scores))
    raw = mean(scores)
    return raw.model_copy(update={"low": max(0.0, raw.low), "high": min(1.0, raw.high)})


def win_tie_loss(verdicts: Sequence[Verdict]) -> tuple[int, int, int]:
    """Count pairs won, tied (exactly 0.5 over both orders) and lost."""
    scores = [verdict.score for verdict in verdicts]
    return sum(s > 0.5 for s in scores), sum(s == 0.5 for s in scores), sum(s < 0.5 for s in scores)
