"""A request being answered: its prompt as tokens, what was generated, and where that ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

import torch

from stagelift.evals.models.engines.endings import Ending, ending
from stagelift.evals.models.engines.engine import Completion, Request
from stagelift.evals.models.engines.sampling import drawn, uniforms

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass
class Row:
    """It draws with `numbers`, one for each step; without them it is greedy."""

    prompt: tuple[int, ...]
    ending: Ending
    temperature: float
    numbers: list[float]
    tokens: list[int] = field(default_factory=list)
    is_done: bool = False

    @property
    def last(self) -> int:
        """The token that the model is given next."""
        return self.tokens[-1] if self.tokens else self.prompt[-1]

    @property
    def before(self) -> int:
        """How many tokens come before `last`."""
        return len(self.prompt) + len(self.tokens) - 1

    @property
    def longest(self) -> int:
        """How many tokens it can come to."""
        return len(self.prompt) + self.ending.max_tokens

    @property
    def completion(self) -> Completion:
        return self.ending.completion(self.tokens)

    def take(self, token: int) -> None:
        """Go on by a token."""
        self.tokens.append(token)
        self.is_done = self.ending.is_reached(self.tokens)


def rows_of(
    requests: Sequence[Request],
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    context: int,
) -> list[Row]:
    """Tokenise requests.

    A prompt that leaves no room for `max_tokens` in the model's context loses its beginning, as in
    lm-eval.
    """
    prompts = tokenizer([request.prompt for request in requests], add_special_tokens=False)
    return [
        _row(request, tokens, ending(request, model, tokenizer), context)
        for request, tokens in zip(requests, prompts["input_ids"], strict=True)
    ]


def _row(request: Request, tokens: list[int], ends: Ending, context: int) -> Row:
    room = context - request.max_tokens
    if room < 1:
        raise ValueError(
            f"{request.max_tokens} new tokens leave no room for a prompt in the model's context of "
            f"{context}: ask for fewer."
        )
    prompt = tuple(tokens[-room:])
    if request.sampling is None:
        return Row(prompt, ends, 0.0, [])
    numbers = uniforms(request.sampling, request.max_tokens)
    return Row(prompt, ends, request.sampling.temperature, numbers)


def next_tokens(rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
    """Return the next token of each row: the likeliest, or the one that it draws."""
    tokens = logits.argmax(dim=-1)
    draw = [place for place, row in enumerate(rows) if row.numbers]
    if draw:
        temperatures = [rows[place].temperature for place in draw]
        numbers = [rows[place].numbers[len(rows[place].tokens)] for place in draw]
        tokens[draw] = drawn(logits[draw], temperatures, numbers)
    return tokens


def common_beginning(sequences: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the tokens that all sequences begin with."""
    first, last = min(sequences), max(sequences)
    length = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    )
    return first[:length]
