"""Judge one model's responses against other models' on the same prompts."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from evals.judges.judge import Judge, Response
from evals.records import Generation, Group, Role, Score, Verdict
from evals.winrate import Answered, judge_pairs

BLOCK = 32  # prompts shown to a judge between two signs of progress
Responses = tuple[Sequence[Score], Sequence[Generation]]


def judge_responses(
    stage: Responses,
    others: Mapping[Role, Responses],
    judge: Judge,
    groups: Sequence[Group],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Verdict]:
    """Judge the first sample of every prompt of `groups` against each of `others` (by role), a block of prompts at a time."""
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
            score.question, Response(text=texts[score.id], correct=score.correct, n_tokens=score.n_tokens)
        )
        for score in scores
        if score.group == group and score.sample == 0
    }
