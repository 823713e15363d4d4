"""Generation with transformers' `generate`, one padded batch at a time: greedy, or sampled from a
seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stagelift.evals.models.engines.engine import Completion, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class TransformersEngine:
    """The engine that needs nothing but the model itself: any causal model that transformers
    loads.
    """

    # part of the contract: raise it when the same request can give another text
    identity: ClassVar[str] = "transformers-1"

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    def complete(
        self,
        prompts: list[str],
        *,
        stop: Sequence[str],
        max_tokens: int,
        sampling: Sampling | None = None,
    ) -> list[Completion]:
        """Continue every prompt until end of turn, a stop string or `max_tokens`.

        Stop strings that are tokens of their own stop as tokens: decoding would drop them before
        they could be seen. Prompts are text that already went through the chat template. One that
        leaves no room for `max_tokens` in the model's context loses its beginning, as in lm-eval.
        """
        import torch

        room = self.model.config.get_text_config().max_position_embeddings - max_tokens
        self.tokenizer.truncation_side = "left"
        batch = self.tokenizer(
            prompts,
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            truncation=True,
            max_length=room,
        ).to(self.model.device)
        special = [text for text in stop if text in self.tokenizer.get_added_vocab()]
        ends = {
            *self.model.generation_config.eos_token_id,
            *self.tokenizer.convert_tokens_to_ids(special),
        }
        strings = [text for text in stop if text not in special]
        if sampling is not None:
            torch.manual_seed(sampling.seed)
        with torch.inference_mode():
            tokens = self.model.generate(
                **batch,
                max_new_tokens=max_tokens,
                eos_token_id=sorted(ends),
                pad_token_id=self.tokenizer.pad_token_id,
                **_decoding(sampling),
                **({"stop_strings": strings, "tokenizer": self.tokenizer} if strings else {}),
            )
        return [
            _read(row, self.tokenizer, ends, strings)
            for row in tokens[:, batch["input_ids"].shape[1] :].tolist()
        ]


def _decoding(sampling: Sampling | None) -> dict[str, Any]:
    if sampling is None:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return {"do_sample": True, "temperature": sampling.temperature, "top_p": 1.0, "top_k": 0}


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
    return Completion(text[:cut], len(kept), "stop" if finished else "length")
