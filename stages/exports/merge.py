"""Adapters merged into the weights below them, saved as a folder that transformers and vLLM load.

They are merged in float32, and rounded once when they are saved. In 16 bits that rounding is as
large as what a stage of DPO changes: what it does is measured, not assumed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from stagelift.evals.models.model import Dtype, ModelRef, merged_in_float32, tokenizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_merged(ref: ModelRef, dtype: Dtype, folder: Path) -> None:
    """Merge all adapters of `ref` (its `merged`) and save the model in a dtype, with its tokenizer,
    chat template and generation settings.

    Raises ValueError in a sentence where merging makes another model of it.
    """
    import torch

    tokenizer = tokenizer_of(ref)
    model = merged_in_float32(ref).to(getattr(torch, dtype))
    _ends_turns(model, tokenizer)
    # code of the weights' own, which nobody ran to load them
    vars(model.config).pop("auto_map", None)
    tokenizer.init_kwargs.pop("auto_map", None)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _ends_turns(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Generation ends at the model's end tokens or the tokenizer's, as in evaluations."""
    settings = model.generation_config
    known = settings.eos_token_id
    own = known if isinstance(known, list) else [known]
    ends = {token for token in (*own, tokenizer.eos_token_id) if token is not None}
    settings.eos_token_id = sorted(ends)
    settings.pad_token_id = tokenizer.pad_token_id
    if settings.temperature not in (None, 1.0) or settings.top_p not in (None, 1.0):
        # transformers refuses to save how to sample beside `do_sample: false`
        settings.do_sample = True
