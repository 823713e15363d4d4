"""Products of float32 weights through oneDNN, on CPUs where it beats torch's own library.

torch multiplies float32 with MKL, which is slow on some CPUs; oneDNN is in torch, too, but takes
part only in bfloat16. Digits differ in their last places.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from stagelift.evals.models.cpu import can_pack, linear_speed

# how much faster oneDNN must be; it was measured at 1.2 to 1.6, or not at all
_CLEARLY = 1.1


@contextmanager
def faster_products(model: torch.nn.Module) -> Iterator[None]:
    """Within this context the linear layers of a float32 model on CPU multiply through oneDNN,
    where that is faster here.
    """
    layers = [layer for layer in model.modules() if _is_plain_float32(layer)]
    if not layers or not onednn_is_faster():
        yield
        return
    for layer in layers:
        layer.forward = _forward(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def onednn_is_faster() -> bool:
    """Say whether oneDNN multiplies float32 clearly faster than torch does by itself."""
    if not can_pack():
        return False
    speed = linear_speed()
    return (speed.float32_packed or 0.0) > _CLEARLY * speed.float32


def product(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply rows (..., in) with a weight (out, in) through oneDNN. It has no gradient."""
    result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
    return result


def _is_plain_float32(layer: torch.nn.Module) -> bool:
    return (
        type(layer) is torch.nn.Linear
        # TRL may have put a forward of its own on a layer
        and "forward" not in vars(layer)
        and layer.weight.dtype == torch.float32
        and layer.weight.device.type == "cpu"
    )


def _forward(layer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    plain = layer.forward

    def forward(rows: torch.Tensor) -> torch.Tensor:
        if rows.dtype != layer.weight.dtype:
            given: torch.Tensor = plain(rows)
            return given
        # in two dimensions, for what is no view of another tensor: some adapters add to it in place
        flat: torch.Tensor = _Linear.apply(rows.flatten(0, -2), layer.weight)  # type: ignore[no-untyped-call]  # torch has no types here
        multiplied = flat.view(*rows.shape[:-1], flat.shape[-1])
        return multiplied if layer.bias is None else multiplied + layer.bias

    return forward


class _Linear(torch.autograd.Function):
    """`rows @ weight.T`; the weight's own product is made only where it learns."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows if weight.requires_grad else None, weight)
        return product(rows, weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        to_rows = product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = product(gradient.flatten(0, -2).t(), rows.flatten(0, -2).t())
        return to_rows, to_weight
