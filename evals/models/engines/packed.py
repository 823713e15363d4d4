"""Linear layers whose weights oneDNN laid out once for this CPU, where that is faster.

Without it a product lays them out at every call, or leaves float32 to a slower library.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn

from stagelift.evals.models.cpu import linear_speed

if TYPE_CHECKING:
    from collections.abc import Callable

# rows that weights are laid out for: those of a decoding step
_ROWS = 64


def packing_wins(device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether packed layers were measured to be faster on this machine."""
    if device.type != "cpu" or dtype not in (torch.float32, torch.bfloat16):
        return False
    speed = linear_speed()
    if dtype == torch.float32:
        return speed.best_float32 > speed.float32
    return speed.best_bfloat16 > speed.bfloat16


class PackedLinear(nn.Module):
    """Computes what an `nn.Linear` does, for inference."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        product: Callable[..., torch.Tensor] = torch.ops.mkldnn._linear_pointwise
        return product(states, self.packed, self.bias, "none", [], "")
