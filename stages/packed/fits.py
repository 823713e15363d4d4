"""Whether a model gives the same states when a batch goes through it as one sequence.

What a configuration tells is looked at first. Then it is tried: whatever else a model does between
tokens shows in the states.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stagelift.stages.packed.forward import packed

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)
# relative to the size of the states: far above rounding, far below one wrong token
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "float16": 0.02}


def why_not(causal: Any) -> str | None:
    """Return why a causal language model cannot take a batch as one sequence, or None.

    `causal` may have adapters in it.
    """
    config = causal.config.get_text_config()
    if config._attn_implementation != "sdpa":
        return f"attention is computed by {config._attn_implementation}"
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if kinds or getattr(config, "sliding_window", None):
        return "its layers do not all attend to everything before a token"
    if _drops_out(causal, config):
        return "dropout would be the same in rows that begin alike"
    return None if _same_states(causal.base_model) else "its states were not the same when tried"


def _drops_out(causal: Any, config: Any) -> bool:
    import torch

    layers = (module for module in causal.modules() if isinstance(module, torch.nn.Dropout))
    return any(layer.p for layer in layers) or bool(getattr(config, "attention_dropout", 0.0))


def _same_states(backbone: Any) -> bool:
    """Try three short rows that begin alike, padded on both sides."""
    import torch

    tokens = torch.tensor([[0, 3, 4, 5, 6, 7], [0, 3, 4, 5, 8, 0], [0, 3, 4, 9, 0, 0]])
    try:
        tokens = tokens.to(backbone.get_input_embeddings().weight.device)
        mask = (tokens != 0).long()
        with torch.no_grad(), _evaluating(backbone):
            usual = _states(backbone, tokens, mask)
            with packed(backbone):
                tried = _states(backbone, tokens, mask)
    except Exception as error:  # noqa: BLE001 - models raise many kinds
        # a model may take no positions, or pass nothing on to its attention
        _log.info("The model does not take a batch as one sequence: %r", error)
        return False
    tolerance = _TOLERANCE.get(str(backbone.dtype).removeprefix("torch."), 1e-4)
    return bool((tried - usual).norm() <= tolerance * usual.norm())


def _states(backbone: Any, tokens: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    out = backbone(input_ids=tokens, attention_mask=mask, use_cache=False)
    states: torch.Tensor = out.last_hidden_state
    return states[mask.bool()].float()


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
