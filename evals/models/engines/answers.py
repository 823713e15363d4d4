"""Log-probabilities of answers.

Answers are read several at once, as a tree: what some of them begin with (the system's turn, a
question that is asked with four answers, the prompt of a pair) is read once, and each token sees
what comes before it in its own answer and nothing else. Nothing is padded.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, takewhile
from typing import TYPE_CHECKING, NamedTuple

import torch

from stagelift.evals.models.engines.engine import Answer, AnswerLogprob

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Tokens that are read at once. A pass over the weights costs as much for few tokens, and attention
# more than in proportion for many.
_AT_ONCE = {"cpu": 512}
_AT_ONCE_ELSEWHERE = 1024


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
    """Score conversations in their order: `together` as many in one forward pass as are worth it,
    else each alone, for models that take no mask of ours.
    """
    if not together:
        return [_alone(model, each) for each in read]
    limit = _AT_ONCE.get(model.device.type, _AT_ONCE_ELSEWHERE)
    scores: dict[int, AnswerLogprob] = {}
    for places in _packs(read, limit):
        found = _in_one_pass(model, [read[place] for place in places])
        scores |= zip(places, found, strict=True)
    return [scores[place] for place in range(len(read))]


def _alone(model: "PreTrainedModel", conversation: Conversation) -> AnswerLogprob:
    tokens, start = conversation
    sequence = torch.tensor([tokens], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=sequence).logits[0, start - 1 : -1]
    return _score(logits, tokens[start:])


def _packs(read: Sequence[Conversation], limit: int) -> Iterator[list[int]]:
    """Yield the places of conversations to read at once, at least one.

    They come in the order of their tokens, so that those that begin alike are neighbours.
    """
    pack: list[int] = []
    size = 0
    for place in sorted(range(len(read)), key=lambda place: read[place].tokens):
        tokens = read[place].tokens
        new = len(tokens) - (_shared(read[pack[-1]].tokens, tokens) if pack else 0)
        if pack and size + new > limit:
            yield pack
            pack, size, new = [], 0, len(tokens)
        pack.append(place)
        size += new
    if pack:
        yield pack


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """Count the tokens that two sequences begin with."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class _Tree:
    """Tokens that sequences share where they begin alike; each knows the one before it.

    Sequences are added in the order of their tokens: what a new one shares with any before, it
    shares with the last.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._last: list[int] = []

    def add(self, sequence: Sequence[int]) -> list[int]:
        """Return the place of each token of a sequence."""
        shared = _shared([self.tokens[place] for place in self._last], sequence)
        path = self._last[:shared]
        for depth in range(shared, len(sequence)):
            self.parents.append(path[-1] if path else -1)
            path.append(len(self.tokens))
            self.tokens.append(sequence[depth])
            self.depths.append(depth)
        self._last = path
        return path

    def mask(self, dtype: torch.dtype) -> torch.Tensor:
        """Let a token see those that it comes after, and itself."""
        size = len(self.tokens)
        seen = torch.zeros((size, size), dtype=torch.bool)
        for place, parent in enumerate(self.parents):
            if parent >= 0:
                seen[place] = seen[parent]
            seen[place, place] = True
        return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def _in_one_pass(model: "PreTrainedModel", group: Sequence[Conversation]) -> list[AnswerLogprob]:
    tree = _Tree()
    # nothing is predicted from the last token
    paths = [tree.add(each.tokens[:-1]) for each in group]
    # the logits at a token are those of the next
    kept = [path[each.start - 1 :] for each, path in zip(group, paths, strict=True)]
    logits = _logits(model, tree, [place for each in kept for place in each])
    parts = pairwise(accumulate((len(each) for each in kept), initial=0))
    return [
        _score(logits[begin:end], each.tokens[each.start :])
        for each, (begin, end) in zip(group, parts, strict=True)
    ]


def _logits(model: "PreTrainedModel", tree: _Tree, kept: Sequence[int]) -> torch.Tensor:
    """Return the logits (kept, vocabulary) at some places of a tree, read as one sequence."""
    device = model.device
    with torch.inference_mode():
        output = model(
            input_ids=torch.tensor([tree.tokens], device=device),
            position_ids=torch.tensor([tree.depths], device=device),
            attention_mask=tree.mask(model.dtype)[None, None].to(device),
            use_cache=False,
            logits_to_keep=torch.tensor(kept, device=device),
        )
    logits: torch.Tensor = output.logits[0]
    return logits


def _score(logits: torch.Tensor, answer: Sequence[int]) -> AnswerLogprob:
    """Sum the log-probabilities of an answer's tokens; each row of logits predicts one."""
    tokens = torch.tensor(answer, device=logits.device)[:, None]
    logits = logits.float()
    chosen = logits.gather(1, tokens)[:, 0] - logits.logsumexp(dim=-1)
    return AnswerLogprob(float(chosen.double().sum()), len(answer))
