"""Preference win rate of a stage against another model, judged pair by pair on the same prompts.

Every pair is judged in both orders and counts the mean of the two, so a judge's taste for a slot cancels. A win rate says
how often, not by how much, and it is only as good as its judge. The length-controlled one estimates what it would be at equal
lengths: it takes out a taste for length, also where longer was better.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evals import stats
from evals.judges.judge import Judge, Opinion, Pair, Response
from evals.length_control import LengthControlled, length_controlled
from evals.records import Group, Metric, Role, Verdict

SAME = "the same response"  # a tie without a judge


class Answered(NamedTuple):
    """A prompt (the user's words) and a model's response to it."""

    prompt: str
    response: Response


def judge_pairs(
    stage: Mapping[str, Answered], other: Mapping[str, Answered], group: Group, against: Role, judge: Judge
) -> list[Verdict]:
    """Judge each of the stage's responses against the other's on the same prompt id, in both orders.

    Equal responses are a tie without asking. A pair with an order the judge gave no verdict on has no score.
    """
    differing = [one for one in stage if stage[one].response.text != other[one].response.text]
    pairs = [_pair(one, stage[one], other[one].response) for one in differing]
    opinions = judge.decide([*pairs, *map(_turned, pairs)])
    asked = dict(zip(differing, zip(opinions[: len(pairs)], opinions[len(pairs) :], strict=True), strict=True))
    return [_verdict(one, group, against, stage[one], other[one], asked.get(one)) for one in stage]


def win_rate(verdicts: Sequence[Verdict]) -> Metric | None:
    """Mean score over prompts, ties counting half, with its t interval clipped to [0, 1]; None without a verdict."""
    scores = decided(verdicts)
    if not scores:
        return None
    if len(set(scores)) == 1:  # no spread for a t interval
        return stats.rate(scores)
    return stats.clipped(stats.mean(scores), 0, 1)


def win_tie_loss(verdicts: Sequence[Verdict]) -> tuple[int, int, int]:
    """Count pairs won, tied (exactly 0.5 over both orders) and lost."""
    scores = decided(verdicts)
    return sum(s > 0.5 for s in scores), sum(s == 0.5 for s in scores), sum(s < 0.5 for s in scores)


def length_controlled_win_rate(verdicts: Sequence[Verdict]) -> LengthControlled | None:
    """Estimate the win rate at equal lengths in characters; None where lengths are missing or no fit is possible."""
    known = [verdict for verdict in verdicts if verdict.score is not None]
    differences = [verdict.length_difference for verdict in known if verdict.length_difference is not None]
    if not known or len(differences) < len(known):
        return None
    return length_controlled(decided(known), differences)


def decided(verdicts: Sequence[Verdict]) -> list[float]:
    """Return the scores of the pairs that have one."""
    return [verdict.score for verdict in verdicts if verdict.score is not None]


def metric_name(against: Role, group: Group, *, length_controlled: bool = False) -> str:
    """Name a win rate: `win_rate_base`, `win_rate_lc_previous`, `win_rate_base_preference`; `win_rate` to a reference."""
    role = "" if against == "reference" else f"_{against}"
    prompts = "" if group == "test" else f"_{group}"
    return f"win_rate{'_lc' if length_controlled else ''}{role}{prompts}"


def _pair(name: str, answered: Answered, other: Response) -> Pair:
    return Pair(id=name, prompt=answered.prompt, first=answered.response, second=other)


def _turned(pair: Pair) -> Pair:
    return pair.model_copy(update={"first": pair.second, "second": pair.first})


def _verdict(
    name: str,
    group: Group,
    against: Role,
    stage: Answered,
    other: Answered,
    opinions: tuple[Opinion, Opinion] | None,
) -> Verdict:
    orders = None if opinions is None else (opinions[0].score, _other_side(opinions[1].score))
    return Verdict(
        id=name,
        group=group,
        against=against,
        score=0.5 if orders is None else _mean(orders),
        orders=None if opinions is None or any(opinion.turned for opinion in opinions) else orders,
        length_difference=len(stage.response.text) - len(other.response.text),
        reason=SAME if opinions is None else _reason(*opinions),
    )


def _other_side(score: float | None) -> float | None:
    return None if score is None else 1 - score


def _mean(orders: tuple[float | None, float | None]) -> float | None:
    first, second = orders
    return None if first is None or second is None else (first + second) / 2


def _reason(first: Opinion, second: Opinion) -> str:
    return first.reason if first.reason == second.reason else f"{first.reason}; turned: {second.reason}"
