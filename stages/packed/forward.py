"""A padded batch goes through a model as one sequence.

TRL's trainers, with whatever loss, all score tokens through one call of the model below its
vocabulary projection. That call is made with one sequence, and its states are put back where TRL
expects them: losses and what is logged stay TRL's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stagelift.stages.packed import attention
from stagelift.stages.packed.layout import Layout, layout_of

if TYPE_CHECKING:
    import torch

Forward = Callable[..., Any]


@contextmanager
def packed(backbone: Any) -> Iterator[None]:
    """Within this context batches go through `backbone`, a causal model without its vocabulary
    projection, as one sequence wherever that is shorter.

    A call with more than tokens and their mask is left alone, such as one with a cache.
    """
    attention.register()
    plain, usual = backbone.forward, backbone.config._attn_implementation
    backbone.config._attn_implementation = attention.NAME
    backbone.forward = _packed_forward(plain)
    try:
        yield
    finally:
        backbone.config._attn_implementation = usual
        # what was the class's own is found there again
        del backbone.forward
        if backbone.forward != plain:
            backbone.forward = plain


def _packed_forward(plain: Forward) -> Forward:
    def forward(*args: Any, **given: Any) -> Any:
        layout = None if args else _layout(given)
        if layout is None:
            return plain(*args, **given)
        out = plain(
            input_ids=layout.tokens,
            position_ids=layout.positions,
            attention_mask=_no_mask(layout.tokens),
            use_cache=False,
            rows=layout.rows,
        )
        out.last_hidden_state = _padded(out.last_hidden_state, layout)
        return out

    return forward


def _layout(given: dict[str, Any]) -> Layout | None:
    asked = {name for name, value in given.items() if value is not None and value is not False}
    if asked != {"input_ids", "attention_mask"} or given.get("return_dict") is False:
        return None
    return layout_of(given["input_ids"], given["attention_mask"])


def _no_mask(tokens: "torch.Tensor") -> "torch.Tensor":
    """Give transformers no reason to build a mask: it takes one of four dimensions as it is, and
    attention by rows looks at none.
    """
    return tokens.new_ones(1, 1, 1, 1).bool()


def _padded(states: "torch.Tensor", layout: Layout) -> "torch.Tensor":
    """Turn states (1, nodes, width) into (rows, columns, width)."""
    taken = states[0].index_select(0, layout.states.flatten())
    return taken.view(*layout.states.shape, -1)
