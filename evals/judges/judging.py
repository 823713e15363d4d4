"""Judge one model's responses against other models' on the same prompts, pair by pair and in both
orders.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from stagelift.evals.judges.judge import Judge, Opinion, Pair, Response
from stagelift.evals.records import Generation, Group, Role, Score, Verdict

# prompts shown to a judge between two signs of progress
BLOCK = 32
Responses = tuple[Sequence[Score], Sequence[Generation]]
# a tie without a judge
SAME = "the same response"


class Answered(NamedTuple):
    """A prompt (the user's words) and a model's response to it."""

    prompt: str
    response: Response


def judge_responses(
    stage: Responses,
    others: Mapping[Role, Responses],
    judge: Judge,
    groups: Sequence[Group],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Verdict]:
    """Judge the first sample of every prompt of `groups` against each of `others` (by role), a
    block of prompts at a time.
    """
    blocks = [
        (against, group, mine, theirs)
        for against, other in others.items()
        for group in groups
        for mine, theirs in _blocks(answers(stage, group), answers(other, group))
    ]
    verdicts: list[Verdict] = []
    for done, (against, group, mine, theirs) in enumerate(blocks):
        on_progress(done, len(blocks))
        verdicts += judge_pairs(mine, theirs, group, against, judge)
    return verdicts


def _blocks(
    mine: dict[str, Answered], theirs: dict[str, Answered]
) -> Iterator[tuple[dict[str, Answered], dict[str, Answered]]]:
    ids = list(mine)
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        yield {one: mine[one] for one in block}, {one: theirs[one] for one in block}


def answers(responses: Responses, group: Group) -> dict[str, Answered]:
    """Return the first response to each prompt of a group, with what is known of it."""
    scores, generations = responses
    texts = {one.id: one.response for one in generations if one.sample == 0}
    return {
        score.id: Answered(
            score.question,
            Response(text=texts[score.id], correct=score.correct, n_tokens=score.n_tokens),
        )
        for score in scores
        if score.group == group and score.sample == 0
    }


def judge_pairs(
    stage: Mapping[str, Answered],
    other: Mapping[str, Answered],
    group: Group,
    against: Role,
    judge: Judge,
) -> list[Verdict]:
    """Judge each of the stage's responses against the other's on the same prompt id, in both
    orders.

    Equal responses are a tie without asking. A pair with an order the judge gave no verdict on has
    no score.
    """
    differing = [one for one in stage if stage[one].response.text != other[one].response.text]
    pairs = [_pair(one, stage[one], other[one].response) for one in differing]
    opinions = judge.decide([*pairs, *map(_turned, pairs)])
    asked = dict(
        zip(
            differing, zip(opinions[: len(pairs)], opinions[len(pairs) :], strict=True), strict=True
        )
    )
    return [_verdict(one, group, against, stage[one], other[one], asked.get(one)) for one in stage]


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
    return (
        first.reason
        if first.reason == second.reason
        else f"{first.reason}; turned: {second.reason}"
    )
