"""Judge one model's responses against other models' on the same prompts."""

from collections.abc import Mapping, Sequence

from evals.judges.judge import Judge, Response
from evals.records import Generation, Group, Role, Score, Verdict
from evals.winrate import Answered, judge_pairs

Responses = tuple[Sequence[Score], Sequence[Generation]]


def judge_responses(
    stage: Responses, others: Mapping[Role, Responses], judge: Judge, groups: Sequence[Group]
) -> list[Verdict]:
    """Judge the first sample of every prompt of `groups` against each of `others` (by role)."""
    return [
        verdict
        for against, other in others.items()
        for group in groups
        for verdict in judge_pairs(answers(stage, group), answers(other, group), group, against, judge)
    ]


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
