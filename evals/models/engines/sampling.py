"""Draw a token with a row's own random numbers."""

from collections.abc import Sequence

import torch

from stagelift.evals.models.engines.engine import Sampling


def uniforms(sampling: Sampling, steps: int) -> list[float]:
    """Return a number in [0, 1) for each step, from the request's seed."""
    generator = torch.Generator().manual_seed(sampling.seed)
    numbers: list[float] = torch.rand(steps, generator=generator, dtype=torch.float64).tolist()
    return numbers


# rows that are drawn for at once: a row of a large vocabulary takes megabytes
_AT_ONCE = 64


def drawn(
    logits: torch.Tensor, temperatures: Sequence[float], numbers: Sequence[float]
) -> torch.Tensor:
    """Return a token for each row (n) of logits (n, vocabulary), by inverting the distribution
    function at the row's number.

    What a row draws depends on its number and its logits, not on the rows beside it.
    """
    scales = torch.tensor(temperatures, device=logits.device)[:, None]
    heights = torch.tensor(numbers, dtype=torch.float64, device=logits.device)[:, None]
    parts = (torch.split(values, _AT_ONCE) for values in (logits, scales, heights))
    return torch.cat([_drawn(*part) for part in zip(*parts, strict=True)])


def _drawn(logits: torch.Tensor, scale: torch.Tensor, heights: torch.Tensor) -> torch.Tensor:
    up_to = torch.softmax(logits.float() / scale, dim=-1).cumsum(dim=-1, dtype=torch.float64)
    # the sum is 1 up to rounding
    tokens = torch.searchsorted(up_to, heights * up_to[:, -1:], right=True)[:, 0]
    return tokens.clamp(max=logits.shape[-1] - 1)
