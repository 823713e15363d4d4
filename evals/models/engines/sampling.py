"""Draw each row's next token from that row's own stream of random numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stagelift.evals.models.engines.engine import Sampling

if TYPE_CHECKING:
    import torch


class Draws:
    """One uniform number for each row and step, from the row's seed.

    What a row draws depends on its seed and its logits alone, not on the rows beside it.
    """

    def __init__(self, sampling: Sequence[Sampling]) -> None:
        import torch

        self._temperatures = [of_row.temperature for of_row in sampling]
        self._streams = [torch.Generator().manual_seed(of_row.seed) for of_row in sampling]

    def next_tokens(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Return a token for each row (n) of logits (n, vocabulary), by inverting the distribution
        function.
        """
        import torch

        temperatures = torch.tensor(self._temperatures, device=logits.device)[:, None]
        uniform = torch.cat(
            [torch.rand(1, generator=each, dtype=torch.float64) for each in self._streams]
        ).to(logits.device)
        weights = torch.softmax(logits.float() / temperatures, dim=-1).double().cumsum(dim=-1)
        # the sum is 1 up to rounding: the last token that has weight ends the line
        drawn = torch.searchsorted(weights, (uniform * weights[:, -1])[:, None], right=True)
        return drawn[:, 0].clamp(max=logits.shape[-1] - 1)
