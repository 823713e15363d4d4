"""How a sampled token is drawn: with a row's own numbers, out of the whole distribution."""

import torch

from stagelift.evals.models.engines.engine import Sampling
from stagelift.evals.models.engines.sampling import drawn, uniforms


def test_tokens_come_as_often_as_they_are_likely() -> None:
    """0.2, 0.5 and 0.3 at temperature 1; of 4,000 draws each within four standard errors."""
    numbers = [uniforms(Sampling(1.0, seed), 1)[0] for seed in range(4000)]
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(4000, 3)
    shares = torch.bincount(drawn(logits, [1.0] * 4000, numbers), minlength=3) / 4000
    assert torch.allclose(shares, torch.tensor([0.2, 0.5, 0.3]), atol=4 * 0.5 / 4000**0.5)


def test_a_low_temperature_takes_the_likeliest() -> None:
    logits = torch.tensor([1.0, 2.0, 0.0]).expand(50, 3)
    assert drawn(logits, [0.01] * 50, [n / 51 for n in range(1, 51)]).tolist() == [1] * 50


def test_the_ends_of_the_line_are_tokens_that_have_weight() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, 0.0, float("-inf")]] * 2)
    assert drawn(logits, [1.0, 1.0], [0.0, 1 - 2**-53]).tolist() == [1, 2]


def test_a_request_has_the_same_numbers_every_time() -> None:
    assert uniforms(Sampling(1.0, 7), 5) == uniforms(Sampling(0.5, 7), 5)
    assert uniforms(Sampling(1.0, 7), 5) != uniforms(Sampling(1.0, 8), 5)
