"""Judge one model's responses against other models' on the same prompts.

Responses are judged pair by pair, and each pair in both orders.
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
    """Judge the first sample of every prompt of `groups` against each of `others` (by role).

    Prompts are judged a block at a time.
    """
    blocks = [
        (against, group, stage_block, opponent_block)
        for against, opponent in others.items()
        for group in groups
        for stage_block, opponent_block in _blocks(answers(stage, group), answers(opponent, group))
    ]
    verdicts: list[Verdict] = []
    for done, (against, group, stage_block, opponent_block) in enumerate(blocks):
        on_progress(done, len(blocks))
        verdicts += judge_pairs(stage_block, opponent_block, group, against, judge)
    return verdicts


def _blocks(
    stage: dict[str, Answered], opponent: dict[str, Answered]
) -> Iterator[tuple[dict[str, Answered], dict[str, Answered]]]:
    prompts = list(stage)
    for start in range(0, len(prompts), BLOCK):
        block = prompts[start : start + BLOCK]
        yield (
            {prompt: stage[prompt] for prompt in block},
            {prompt: opponent[prompt] for prompt in block},
        )


def answers(responses: Responses, group: Group) -> dict[str, Answered]:
    """Return the first response to each prompt of a group, with what is known of it."""
    scores, generations = responses
    texts = {
        generation.id: generation.response for generation in generations if generation.sample == 0
    }
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
    opponent: Mapping[str, Answered],
    group: Group,
    against: Role,
    judge: Judge,
) -> list[Verdict]:
    """Judge each of the stage's responses against its opponent's on the same prompt.

    Every pair is shown in both orders. Equal responses are a tie without asking. A pair with an
    order the judge gave no verdict on has no score.
    """
    pairs = [
        Pair(id=prompt, prompt=mine.prompt, first=mine.response, second=opponent[prompt].response)
        for prompt, mine in stage.items()
        if mine.response.text != opponent[prompt].response.text
    ]
    opinions = _in_both_orders(pairs, judge)
    return [
        _verdict(prompt, group, against, mine, opponent[prompt], opinions.get(prompt))
        for prompt, mine in stage.items()
    ]


def _in_both_orders(pairs: Sequence[Pair], judge: Judge) -> dict[str, tuple[Opinion, Opinion]]:
    """Ask for all pairs at once; return the opinions by prompt, as shown and turned."""
    opinions = judge.decide([*pairs, *map(_turned, pairs)])
    as_shown, turned = opinions[: len(pairs)], opinions[len(pairs) :]
    return {
        pair.id: (first, second)
        for pair, first, second in zip(pairs, as_shown, turned, strict=True)
    }


def _turned(pair: Pair) -> Pair:
    return pair.model_copy(update={"first": pair.second, "second": pair.first})


def _verdict(
    prompt: str,
    group: Group,
    against: Role,
    stage: Answered,
    opponent: Answered,
    opinions: tuple[Opinion, Opinion] | None,
) -> Verdict:
    score: float | None = 0.5
    orders: tuple[float | None, float | None] | None = None
    reason = SAME
    if opinions is not None:
        first, second = opinions
        orders = (first.score, _turned_score(second.score))
        score = _mean(*orders)
        reason = _reason(first, second)
        # one verdict counted for both orders tells nothing of position
        if first.turned or second.turned:
            orders = None
    return Verdict(
        id=prompt,
        group=group,
        against=against,
        score=score,
        orders=orders,
        length_difference=len(stage.response.text) - len(opponent.response.text),
        reason=reason,
    )


def _turned_score(score: float | None) -> float | None:
    return None if score is None else 1 - score


def _mean(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return None
    return (first + second) / 2


def _reason(first: Opinion, second: Opinion) -> str:
    if first.reason == second.reason:
        return first.reason
    return f"{first.reason}; turned: {second.reason}"
