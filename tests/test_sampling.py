"""How a sampled token is drawn: from a row's own stream, out of the whole distribution."""

import torch

from stagelift.evals.models.engines.engine import Sampling
from stagelift.evals.models.engines.sampling import Draws


def test_tokens_come_as_often_as_they_are_likely() -> None:
    """0.2, 0.5 and 0.3 at temperature 1; of 4,000 draws each within four standard errors."""
    draws = Draws([Sampling(1.0, seed) for seed in range(4000)])
    drawn = draws.next_tokens(torch.tensor([0.2, 0.5, 0.3]).log().expand(4000, 3))
    shares = torch.bincount(drawn, minlength=3) / 4000
    assert torch.allclose(shares, torch.tensor([0.2, 0.5, 0.3]), atol=4 * 0.5 / 4000**0.5)


def test_a_low_temperature_takes_the_likeliest() -> None:
    draws = Draws([Sampling(0.01, seed) for seed in range(50)])
    assert draws.next_tokens(torch.tensor([1.0, 2.0, 0.0]).expand(50, 3)).tolist() == [1] * 50


def test_a_row_draws_the_same_whatever_stands_beside_it() -> None:
    logits = torch.randn(5, 100, generator=torch.Generator().manual_seed(0))
    rows = [Sampling(1.0, seed) for seed in (7, 8, 9, 10, 11)]
    together, alone = Draws(rows), Draws(rows[3:4])
    for _ in range(6):
        assert together.next_tokens(logits)[3] == alone.next_tokens(logits[3:4])[0]
