"""Log-probabilities of answers.

Answers that follow the same text, as the two of a preference pair do, are read together: what they
begin with once, and the rest of each as if it were alone. Nothing is padded.
"""

from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch

from stagelift.evals.models.engines.engine import Answer, AnswerLogprob
from stagelift.evals.models.engines.rows import common_beginning

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Conversation(NamedTuple):
    """Tokens, and the position where the answer starts."""

    tokens: tuple[int, ...]
    start: int


def conversations(
    answers: Sequence[Answer], tokenizer: "PreTrainedTokenizerBase", context: int
) -> list[Conversation]:
    """Tokenise answers; what is too long for the model's context loses its beginning."""
    befores = tokenizer([answer.prompt for answer in answers], add_special_tokens=False)
    wholes = tokenizer([answer.whole for answer in answers], add_special_tokens=False)
    return [
        _conversation(len(before), tuple(tokens), context)
        for before, tokens in zip(befores["input_ids"], wholes["input_ids"], strict=True)
    ]


def _conversation(before: int, tokens: tuple[int, ...], context: int) -> Conversation:
    surplus = max(0, len(tokens) - context)
    kept = tokens[surplus:]
    return Conversation(kept, min(max(1, before - surplus), len(kept) - 1))


def logprobs(
    model: "PreTrainedModel", read: Sequence[Conversation], *, together: bool
) -> list[AnswerLogprob]:
    """Score conversations: `together` those that begin alike in one forward pass, else each alone,
    for models that take no mask of ours.
    """
    scores: list[AnswerLogprob] = []
    for _, alike in groupby(read, key=lambda each: each.tokens[: each.start]):
        group = [*alike]
        scores += _branches(model, group) if together else [_alone(model, each) for each in group]
    return scores


def _alone(model: "PreTrainedModel", conversation: Conversation) -> AnswerLogprob:
    tokens, start = conversation
    sequence = torch.tensor([tokens], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=sequence).logits[0, start - 1 : -1]
    return _score(logits, tokens[start:])


def _branches(model: "PreTrainedModel", group: Sequence[Conversation]) -> list[AnswerLogprob]:
    """Read a trunk and, side by side, the branches that go on from it."""
    trunk = common_beginning([each.tokens[:-1] for each in group])
    branches = [each.tokens[len(trunk) :] for each in group]
    ends = accumulate((len(branch) for branch in branches), initial=len(trunk))
    places = [[*range(len(trunk)), *range(begin, end)] for begin, end in pairwise(ends)]
    # the logits at a token are those of the next
    kept = [place[each.start - 1 : -1] for each, place in zip(group, places, strict=True)]
    logits = _logits(model, trunk, branches, [place for each in kept for place in each])
    parts = pairwise(accumulate((len(each) for each in kept), initial=0))
    return [
        _score(logits[begin:end], each.tokens[each.start :])
        for each, (begin, end) in zip(group, parts, strict=True)
    ]


def _logits(
    model: "PreTrainedModel",
    trunk: Sequence[int],
    branches: Sequence[Sequence[int]],
    kept: Sequence[int],
) -> torch.Tensor:
    """Return the logits (kept, vocabulary) at some places of trunk and branches, one after another
    in one sequence.
    """
    tokens = [*trunk, *(token for branch in branches for token in branch)]
    first = len(trunk)
    positions = [*range(first), *(first + n for branch in branches for n in range(len(branch)))]
    mask, device = _mask(first, branches, model.dtype), model.device
    with torch.inference_mode():
        output = model(
            input_ids=torch.tensor([tokens], device=device),
            position_ids=torch.tensor([positions], device=device),
            attention_mask=mask[None, None].to(device),
            use_cache=False,
            logits_to_keep=torch.tensor(kept, device=device),
        )
    logits: torch.Tensor = output.logits[0]
    return logits


def _mask(trunk: int, branches: Sequence[Sequence[int]], dtype: torch.dtype) -> torch.Tensor:
    """Let a token see what comes before it in the trunk and in its own branch."""
    branch = torch.tensor([0] * trunk + [n for n, each in enumerate(branches, 1) for _ in each])
    seen = ((branch[:, None] == branch) | (branch == 0)).tril()
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def _score(logits: torch.Tensor, answer: Sequence[int]) -> AnswerLogprob:
    """Sum the log-probabilities of an answer's tokens; each row of logits predicts one."""
    tokens = torch.tensor(answer, device=logits.device)[:, None]
    chosen = torch.log_softmax(logits.float(), dim=-1).gather(1, tokens)
    return AnswerLogprob(float(chosen.double().sum()), len(answer))
