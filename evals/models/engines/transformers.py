"""Generation with a transformers model in this process."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from stagelift.evals.models.engines.engine import (
    Answer,
    AnswerLogprob,
    Completion,
    OnFinished,
    Request,
)
from stagelift.evals.models.memory import give_back
from stagelift.evals.models.model import context_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_log = logging.getLogger(__name__)


class TransformersEngine:
    """The engine that needs nothing but the model itself: any causal model that transformers
    loads.

    `slots` is how many requests it works on at once. What it answers with are the weights as they
    are when it is made: make another one after they changed.
    """

    # part of the contract: raise it when the same request can give another text
    identity: ClassVar[str] = "transformers-2"

    def __init__(
        self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", slots: int
    ) -> None:
        self.model, self._sight = _for_inference(model, tokenizer)
        self.tokenizer = tokenizer
        self.slots = slots

    def complete(self, requests: Sequence[Request], on_finished: OnFinished) -> list[Completion]:
        """Continue every prompt until end of turn, a stop string or `max_tokens`.

        A prompt that leaves no room for `max_tokens` in the model's context loses its beginning, as
        in lm-eval.
        """
        from stagelift.evals.models.engines import plain
        from stagelift.evals.models.engines.rows import rows_of
        from stagelift.evals.models.engines.slots import Slots

        if not requests:
            return []
        # the model that it was made from, where nobody needs that any more
        give_back()
        rows = rows_of(requests, self.model, self.tokenizer, context_of(self.model.config))
        if self._keeps_rows(max((row.longest for row in rows), default=0)):
            Slots(self.model, self.slots).finish(rows, on_finished)
        else:
            plain.finish(self.model, self.tokenizer, rows, self.slots, on_finished)
        return [row.completion for row in rows]

    def answer_logprobs(self, answers: Sequence[Answer]) -> list[AnswerLogprob]:
        """Return the log-probability of each answer's tokens.

        What is too long for the model's context loses its beginning, as in generation.
        """
        from stagelift.evals.models.engines.answers import conversations, logprobs

        if not answers:
            return []
        read = conversations(answers, self.tokenizer, context_of(self.model.config))
        longest = max((len(each.tokens) for each in read), default=0)
        return logprobs(self.model, read, together=self._keeps_rows(longest))

    def _keeps_rows(self, length: int) -> bool:
        """Say whether rows up to a length can be kept in slots."""
        return self._sight is not None and length <= self._sight


def _for_inference(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> "tuple[PreTrainedModel, float | None]":
    """Return the model to use, and how far back it sees; None where it cannot keep rows in slots.

    Packed layers have no `weight`, which some models look at.
    """
    from stagelift.evals.models.engines.cache import sight
    from stagelift.evals.models.engines.inference import inference_copy, needs_peft
    from stagelift.evals.models.engines.trial import works_in_slots

    seen = None if needs_peft(model) else sight(model.config)
    if seen is not None:
        for pack in (True, False):
            ready = inference_copy(model, pack=pack)
            if works_in_slots(ready, tokenizer):
                return ready, seen
    _log.warning("The model generates batch by batch: its cache cannot be kept row by row.")
    return inference_copy(model, pack=False), None
