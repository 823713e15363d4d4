"""Token scores on CPU: only where there is a loss, and the vocabulary projected once.

TRL's fused head leaves out prompt and padding positions only on Triton devices, because elsewhere
changing shapes would recompile; PyTorch on CPU does not compile. And it projects again in the
backward pass to save memory. The gradient of a token's log-probability, though, is a vector as wide
as the model times a number that comes later. So it is made at once, a few tokens at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from trl.trainer import utils

from stagelift.stages.products import onednn_is_faster, product

_OUTPUTS = {"log_probs", "entropy", "mean_logits", "is_top1"}
# tokens that are projected at once
_AT_ONCE = 128

Projection = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@contextmanager
def scored_once() -> Iterator[None]:
    """Within this context TRL's fused heads on CPU score only positions that have a label, with one
    projection.

    Entropies and mean logits have no gradient.
    """
    ask_the_device, usual = utils._use_triton, utils._ChunkedLogProbFunction
    utils._use_triton = lambda _device: True
    utils._ChunkedLogProbFunction = _ScoresOnCpu
    try:
        yield
    finally:
        utils._use_triton, utils._ChunkedLogProbFunction = ask_the_device, usual


class _ScoresOnCpu:
    """Stands where TRL has its function, and hands on to it what it does not do itself."""

    _of_trl = utils._ChunkedLogProbFunction

    @classmethod
    def apply(
        cls,
        states: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        temperature: float,
        chunk_size: int,
        softcap: float | None,
        scale: float,
        outputs: tuple[str, ...],
    ) -> Any:
        plain = bias is None and not weight.requires_grad and not softcap
        if states.device.type != "cpu" or not plain or not _OUTPUTS.issuperset(outputs):
            return cls._of_trl.apply(
                states, weight, bias, targets, temperature, chunk_size, softcap, scale, outputs
            )
        scores: Any = Scores.apply(states, weight, targets, scale / temperature)  # type: ignore[no-untyped-call]  # torch has no types here
        log_probs, entropy, means, is_top1 = scores
        return (
            log_probs,
            entropy if "entropy" in outputs else None,
            None,
            means if "mean_logits" in outputs else None,
            is_top1 if "is_top1" in outputs else None,
        )


class Scores(torch.autograd.Function):
    """Log-probability of each target, entropy, mean logit, and whether the target is the likeliest
    token.
    """

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, scale: float
    ) -> tuple[torch.Tensor, ...]:
        log_probs, entropy, means = (torch.empty(len(states)) for _ in range(3))
        is_top1 = torch.empty(len(states), dtype=torch.bool)
        learns = ctx.needs_input_grad[0]
        directions = torch.empty(states.shape if learns else (0,))
        project = _projection(weight)
        for start in range(0, len(states), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            logits = project(states[part], weight).float().mul_(scale)
            logs = torch.log_softmax(logits, dim=-1)
            chosen = targets[part, None]
            log_probs[part] = logs.gather(1, chosen)[:, 0]
            means[part] = logits.mean(dim=-1)
            is_top1[part] = logits.argmax(dim=-1) == targets[part]
            probabilities = torch.exp(logs, out=logits)
            if learns:
                mean = project(probabilities.to(weight.dtype), weight.t())
                directions[part] = scale * (weight[targets[part]].float() - mean.float())
            entropy[part] = -logs.mul_(probabilities).sum(dim=-1)
        ctx.save_for_backward(directions)
        ctx.dtype = states.dtype
        ctx.mark_non_differentiable(entropy, means, is_top1)
        return log_probs, entropy, means, is_top1

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        (directions,) = ctx.saved_tensors
        return (gradient[:, None] * directions).to(ctx.dtype), None, None, None


def _projection(weight: torch.Tensor) -> Projection:
    if weight.dtype == torch.float32 and onednn_is_faster():
        return product
    return torch.nn.functional.linear
