"""Whether two models are the same: what each says to a few fixed tokens.

A stage must start from the model that the one before ended with, and what is loaded again must be
what was trained. Both are looked at in every stage, with one pass of eight tokens. What a model
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

_TOKENS = 8
_VALUES = 256
# how far two of one model may be apart, as a share of the logits' spread. It is 0 on one machine;
# other devices add in another order, and adapters that are merged round the weights once more
TOLERANCE: dict[Dtype, float] = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}


class AnotherModelError(Exception):
    """A model is not the one that it must be."""


def fixed_logits(model: Any, dtype: Dtype, tokens: list[int] | None = None) -> FixedLogits | None:
    """Ask a model for the logits of fixed tokens; None where it says nothing finite.

    It is left as it was. `tokens` are those that another model was asked.
    """
    asked = tokens or _spread(model.config.get_text_config().vocab_size, _TOKENS)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        row = torch.tensor([asked], device=next(model.parameters()).device)
        # not `model(...)`: a trainer wraps the instance's forward in one of lower precision
        said = type(model).forward(model, input_ids=row, attention_mask=torch.ones_like(row))
    model.train(was_training)
    logits = said.logits.float().flatten().cpu()
    values = logits[_spread(len(logits), _VALUES)].tolist()
    if not all(map(math.isfinite, values)):
        return None
    return FixedLogits(dtype=dtype, tokens=asked, values=values)


def check_same(expected: FixedLogits | None, model: Any, dtype: Dtype, what: str) -> None:
    """Raise AnotherModelError where a model does not say what is expected of it.

    `what` says what is wrong then. Where nothing is known nothing is checked.
    """
    if expected is None:
        return
    said = fixed_logits(model, dtype, expected.tokens)
    apart = math.inf if said is None else distance(expected, said)
    allowed = max(TOLERANCE[dtype], TOLERANCE[expected.dtype])
    if not apart <= allowed:
        raise AnotherModelError(
            f"{what}: its logits for {len(expected.tokens)} fixed tokens are apart by {apart:.2g} "
            f"of their spread, where {dtype} allows {allowed:.2g}. Nothing is stored of this stage."
        )


def check_loaded_again(expected: FixedLogits | None, parent: ModelRef, adapter: "Path") -> None:
    """Raise AnotherModelError where an adapter, loaded as it will be measured, is another model."""
    if expected is None:
        return
    loaded = load_model(parent.model_copy(update={"adapter": str(adapter)}))
    what = f"The adapter that was saved in '{adapter}' is not the one that was trained"
    check_same(expected, loaded, parent.dtype, what)


def distance(one: FixedLogits, other: FixedLogits) -> float:
    """Return how far two sets of logits are apart, as a share of the spread of the first."""
    first, second = np.array(one.values), np.array(other.values)
    spread = first.std() or 1.0
    return float(np.sqrt(np.mean((first - second) ** 2)) / spread)


def _spread(size: int, count: int) -> list[int]:
    """Return up to so many places, evenly over all there are."""
    return sorted({place * size // count for place in range(count)})
