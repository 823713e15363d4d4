"""Finish rows with transformers' own `generate`, batch by batch, padded on the left.

It is for models whose cache is not keys and values of all tokens: any causal model can do it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from stagelift.evals.models.engines.engine import OnFinished
from stagelift.evals.models.engines.rows import Row, next_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def finish(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Row],
    batch_size: int,
    on_finished: OnFinished,
) -> None:
    """Generate every row to its end."""
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        _finish(model, tokenizer, batch)
        on_finished(start + len(batch))


def _finish(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Row]
) -> None:
    tokenizer.padding_side = "left"
    prompts = tokenizer.pad({"input_ids": [list(row.prompt) for row in rows]}, return_tensors="pt")
    with torch.inference_mode(), _own_rules_left_out(model):
        model.generate(
            **prompts.to(model.device),
            max_new_tokens=max(row.ending.max_tokens for row in rows),
            pad_token_id=tokenizer.pad_token_id,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            logits_processor=[_Chosen(rows)],
            stopping_criteria=[_Taken(rows)],
        )


@contextmanager
def _own_rules_left_out(model: "PreTrainedModel") -> Iterator[None]:
    """Within this context `generate` adds nothing that a model's generation_config.json asks for,
    such as a penalty for repetition: in slots nothing does either.
    """
    below = model.get_base_model() if isinstance(model, PeftModel) else model
    own = below.generation_config
    below.generation_config = GenerationConfig(
        eos_token_id=own.eos_token_id, pad_token_id=own.pad_token_id
    )
    try:
        yield
    finally:
        below.generation_config = own


class _Chosen(LogitsProcessor):  # type: ignore[misc]  # transformers has no type information here
    """Leaves `generate` nothing but the token that a row draws."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __call__(self, _tokens: Any, logits: torch.Tensor) -> torch.Tensor:
        going = [place for place, row in enumerate(self.rows) if not row.is_done]
        chosen = next_tokens([self.rows[place] for place in going], logits[going])
        only = torch.full_like(logits[going], float("-inf")).scatter(1, chosen[:, None], 0.0)
        return logits.index_copy(0, torch.tensor(going, device=logits.device), only)


class _Taken(StoppingCriteria):  # type: ignore[misc]  # transformers has no type information here
    """Hands each row its new token, and says which rows are done."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __call__(self, tokens: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
        for row, token in zip(self.rows, tokens[:, -1].tolist(), strict=True):
            if not row.is_done:
                row.take(token)
        return torch.tensor([row.is_done for row in self.rows], device=tokens.device)
