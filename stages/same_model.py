"""Whether two models are the same: what each says to a few fixed tokens.

A stage must start from the model that the one before ended with, and what is loaded again must be
what was trained. Both are looked at in every stage, with one pass of a sentence. What a model
said at the end of its stage lies in the node's folder (`logits.json`).
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from stagelift.evals.models.model import Dtype, ModelRef, load_model
from stagelift.stages.records import FixedLogits

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

_SENTENCE = "A farmer has 12 eggs and sells 5 of them. How many are left?"
_MOST_TOKENS = 24
_VALUES = 256
# how far two of one model may be apart, as a share of the logits' spread. Loaded again where it was
# trained it is 0 apart. Between machines, and where adapters are merged below, it is rounding: that
# of bfloat16 is 0.03 to 0.1 on the bundled model, that of float16 0.003
_HERE: dict[Dtype, float] = {"float32": 1e-3, "float16": 5e-3, "bfloat16": 2e-2}
_ANYWHERE: dict[Dtype, float] = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 2e-1}


class AnotherModelError(Exception):
    """A model is not the one that it must be."""


def fixed_tokens(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the tokens that models are asked, in the words of a tokenizer."""
    tokens: list[int] = tokenizer(_SENTENCE)["input_ids"]
    return tokens[:_MOST_TOKENS]


def fixed_logits(model: Any, dtype: Dtype, tokens: list[int]) -> FixedLogits | None:
    """Ask a model for the logits of fixed tokens; None where it says nothing finite.

    It is left as it was.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    # layers that are trained whole are in float32, between others in 16 bits
    mixed = torch.autocast(device.type, getattr(torch, dtype), enabled=dtype != "float32")
    with torch.no_grad(), mixed:
        row = torch.tensor([tokens], device=device)
        # not `model(...)`: a trainer wraps the instance's forward in one of its own precision
        said = type(model).forward(model, input_ids=row, attention_mask=torch.ones_like(row))
    model.train(was_training)
    logits = said.logits.float().flatten().cpu()
    values = logits[_spread(len(logits), _VALUES)].tolist()
    if not all(map(math.isfinite, values)):
        return None
    return FixedLogits(dtype=dtype, tokens=tokens, values=values)


def check_start(expected: FixedLogits | None, policy: Any, dtype: Dtype) -> None:
    """Raise AnotherModelError where a stage would start from another model than it must.

    Where nothing is known nothing is checked.
    """
    if expected is not None:
        allowed = max(_ANYWHERE[dtype], _ANYWHERE[expected.dtype])
        what = "The stage would start from another model than the one before ended with"
        _check_same(expected, policy, dtype, allowed, what)


def check_loaded_again(expected: FixedLogits | None, parent: ModelRef, adapter: "Path") -> None:
    """Raise AnotherModelError where an adapter, loaded as it will be measured, is another model."""
    if expected is not None:
        loaded = load_model(parent.model_copy(update={"adapter": str(adapter)}))
        what = f"The adapter that was saved in '{adapter}' is not the one that was trained"
        _check_same(expected, loaded, parent.dtype, _HERE[parent.dtype], what)


def distance(one: FixedLogits, other: FixedLogits) -> float:
    """Return how far two sets of logits are apart, as a share of the spread of the first."""
    first, second = np.array(one.values), np.array(other.values)
    spread = first.std() or 1.0
    return float(np.sqrt(np.mean((first - second) ** 2)) / spread)


def _check_same(expected: FixedLogits, model: Any, dtype: Dtype, allowed: float, what: str) -> None:
    said = fixed_logits(model, dtype, expected.tokens)
    apart = math.inf if said is None else distance(expected, said)
    if not apart <= allowed:
        raise AnotherModelError(
            f"{what}: the logits of a fixed sentence are apart by {apart:.2g} of their spread, "
            f"where rounding in {dtype} explains {allowed:.2g}. Nothing of this stage counts."
        )


def _spread(size: int, count: int) -> list[int]:
    """Return up to so many places, evenly over all that there are."""
    return sorted({place * size // count for place in range(count)})
