"""Attention row by row inside a model that sees one sequence.

Everything else in a transformer treats tokens one by one. Only here each row is put together from
its tokens, so attention is plain causal attention, without a mask.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from stagelift.stages.packed.layout import Rows

# what transformers calls it
NAME = "rows_of_one_sequence"


def register() -> None:
    """Make the attention known to transformers; where no rows are given it is its `sdpa`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def _attention(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    rows: "Rows | None" = None,
    **how: Any,
) -> "tuple[torch.Tensor, None]":
    """Attend; with rows, states are (1, heads, nodes, width) and come out as (1, nodes, heads,
    width).
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    attended: torch.Tensor
    if rows is None:
        attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **how)
        return attended, None
    query, key, value = (_by_row(states, rows) for states in (query, key, value))
    attended, _ = sdpa_attention_forward(module, query, key, value, None, **how)
    return attended.flatten(0, 1).index_select(0, rows.places)[None], None


def _by_row(states: "torch.Tensor", rows: "Rows") -> "torch.Tensor":
    """Turn (1, heads, nodes, width) into (rows, heads, longest, width)."""
    taken = states[0].transpose(0, 1).index_select(0, rows.nodes.flatten())
    return taken.view(*rows.nodes.shape, *taken.shape[1:]).transpose(1, 2)
