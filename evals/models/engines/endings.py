"""Where a completion ends: at a token, at a string, or when there are enough tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stagelift.evals.models.engines.engine import Completion, Request

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Ending:
    """What ends one request's completion.

    Stop strings that are tokens of their own end it as tokens: decoding would drop them before they
    could be seen.
    """

    tokens: frozenset[int]
    strings: tuple[str, ...]
    max_tokens: int
    tokenizer: "PreTrainedTokenizerBase"

    def is_reached(self, tokens: Sequence[int]) -> bool:
        """Say whether a completion is done, given that it was not before its last token."""
        if len(tokens) >= self.max_tokens or tokens[-1] in self.tokens:
            return True
        if not self.strings:
            return False
        text = self._text(tokens[-self._window :])
        return any(string in text for string in self.strings)

    def completion(self, tokens: Sequence[int]) -> Completion:
        """Return what was generated as text, cut before the first stop string."""
        is_ended = bool(tokens) and tokens[-1] in self.tokens
        kept = tokens[:-1] if is_ended else tokens
        text = self._text(kept)
        cut = min((text.index(string) for string in self.strings if string in text), default=None)
        return Completion(
            text=text[:cut],
            n_tokens=len(kept),
            finish_reason="stop" if is_ended or cut is not None else "length",
            tokens=tuple(tokens),
        )

    @cached_property
    def _window(self) -> int:
        """How many tokens surely hold a stop string that has just come to its end.

        A token is a byte or more. Some more tokens stand before it, because the first ones may be
        decoded otherwise than in the middle of a text.
        """
        return max(len(string.encode()) for string in self.strings) + 4

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))


def ending(
    request: Request, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> Ending:
    """Return where a request's completion ends: its own stops, and the model's end tokens."""
    added = tokenizer.get_added_vocab()
    special = [string for string in request.stop if string in added]
    ends = model.generation_config.eos_token_id
    return Ending(
        tokens=frozenset(
            {*(ends if isinstance(ends, list) else [ends]), *(added[string] for string in special)}
            - {None}
        ),
        strings=tuple(string for string in request.stop if string not in added),
        max_tokens=request.max_tokens,
        tokenizer=tokenizer,
    )
