"""Generation with transformers' `generate`, one padded batch at a time: greedy, or sampled from a
seed for each request.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from stagelift.evals.models.engines.engine import (
    Answer,
    AnswerLogprob,
    Completion,
    OnFinished,
    Request,
)
from stagelift.evals.models.engines.sampling import Draws

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class TransformersEngine:
    """The engine that needs nothing but the model itself: any causal model that transformers
    loads.

    `slots` is how many requests it works on at once.
    """

    # part of the contract: raise it when the same request can give another text
    identity: ClassVar[str] = "transformers-1"

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    slots: int

    def complete(self, requests: Sequence[Request], on_finished: OnFinished) -> list[Completion]:
        """Continue every prompt until end of turn, a stop string or `max_tokens`.

        Stop strings that are tokens of their own stop as tokens: decoding would drop them before
        they could be seen. One that leaves no room for `max_tokens` in the model's context loses
        its beginning, as in lm-eval.
        """
        completions: list[Completion] = []
        for batch in self._batches(requests):
            completions += self._complete(batch)
            on_finished(len(completions))
        return completions

    def answer_logprobs(self, answers: Sequence[Answer]) -> list[AnswerLogprob]:
        """Return the log-probability of each answer's tokens.

        What is too long for the model's context loses its beginning, as in generation.
        """
        return [self._logprob(answer) for answer in answers]

    def _batches(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Split into batches whose requests end alike."""
        for _, alike in groupby(requests, key=_ending):
            rows = list(alike)
            for start in range(0, len(rows), self.slots):
                yield rows[start : start + self.slots]

    def _complete(self, requests: list[Request]) -> list[Completion]:
        import torch

        stop, max_tokens, _ = _ending(requests[0])
        batch = self._tokens([request.prompt for request in requests], max_tokens)
        special = [text for text in stop if text in self.tokenizer.get_added_vocab()]
        ends = {
            *self.model.generation_config.eos_token_id,
            *self.tokenizer.convert_tokens_to_ids(special),
        }
        strings = [text for text in stop if text not in special]
        with torch.inference_mode():
            tokens = self.model.generate(
                **batch,
                max_new_tokens=max_tokens,
                eos_token_id=sorted(ends),
                pad_token_id=self.tokenizer.pad_token_id,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                **_decoding(requests),
                **({"stop_strings": strings, "tokenizer": self.tokenizer} if strings else {}),
            )
        return [
            _read(row, self.tokenizer, ends, strings)
            for row in tokens[:, batch["input_ids"].shape[1] :].tolist()
        ]

    def _tokens(self, prompts: list[str], max_tokens: int) -> Any:
        self.tokenizer.truncation_side = "left"
        return self.tokenizer(
            prompts,
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            truncation=True,
            max_length=self._context() - max_tokens,
        ).to(self.model.device)

    def _context(self) -> int:
        return int(self.model.config.get_text_config().max_position_embeddings)

    def _logprob(self, answer: Answer) -> AnswerLogprob:
        """Score one sequence: padding would change digits."""
        import torch

        before = self.tokenizer(answer.prompt, add_special_tokens=False)["input_ids"]
        tokens = list(self.tokenizer(answer.whole, add_special_tokens=False)["input_ids"])
        surplus = max(0, len(tokens) - self._context())
        tokens = tokens[surplus:]
        start = min(max(1, len(before) - surplus), len(tokens) - 1)
        sequence = torch.tensor([tokens], device=self.model.device)
        with torch.inference_mode():
            logits = self.model(input_ids=sequence).logits[0, start - 1 : -1].float()
        chosen = torch.log_softmax(logits, dim=-1).gather(1, sequence[0, start:, None])
        return AnswerLogprob(float(chosen.double().sum()), len(tokens) - start)


def _ending(request: Request) -> tuple[tuple[str, ...], int, bool]:
    return request.stop, request.max_tokens, request.sampling is None


def _decoding(requests: list[Request]) -> dict[str, Any]:
    """Let `generate` choose the greatest of what a draw leaves: the token that was drawn."""
    sampling = [request.sampling for request in requests if request.sampling is not None]
    if not sampling:
        return {}
    draws = Draws(sampling)

    def only_drawn(_tokens: "torch.Tensor", logits: "torch.Tensor") -> "torch.Tensor":
        drawn = draws.next_tokens(logits)
        return logits.new_full(logits.shape, float("-inf")).scatter(1, drawn[:, None], 0.0)

    return {"logits_processor": [only_drawn]}


def _read(
    row: list[int], tokenizer: "PreTrainedTokenizerBase", ends: set[int], strings: list[str]
) -> Completion:
    end = next((position for position, token in enumerate(row) if token in ends), None)
    kept = row if end is None else row[:end]
    if end is None and tokenizer.pad_token_id not in ends:
        kept = [token for token in row if token != tokenizer.pad_token_id]
    text = tokenizer.decode(kept, skip_special_tokens=True)
    cut = min((text.index(string) for string in strings if string in text), default=None)
    finished = end is not None or cut is not None
    return Completion(
        text=text[:cut],
        n_tokens=len(kept),
        finish_reason="stop" if finished else "length",
        tokens=tuple(kept if end is None else row[: end + 1]),
    )
