"""Products through oneDNN are the products that torch makes, and so are their gradients."""

import pytest
import torch

from stagelift.evals.models.cpu import can_pack
from stagelift.stages.products import faster_products, onednn_is_faster


@pytest.mark.skipif(not can_pack(), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("frozen", [True, False])
def test_outputs_and_gradients_are_those_of_torch(frozen: bool) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Linear(40, 8, bias=False))
    model[0].weight.requires_grad_(not frozen)
    rows = torch.randn(3, 50, 24, requires_grad=True)

    def learnt() -> list[torch.Tensor]:
        model.zero_grad()
        rows.grad = None
        out = model(rows)
        out.square().sum().backward()
        each = [rows, *model.parameters()]
        return [out.detach(), *(one.grad.clone() for one in each if one.grad is not None)]

    usual = learnt()
    with faster_products(model):
        assert ("forward" in vars(model[0])) == onednn_is_faster()
        here = learnt()
    assert "forward" not in vars(model[0])
    assert len(here) == len(usual) == (4 if frozen else 5)
    for one, other in zip(here, usual, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_layers_in_16_bits_are_left_alone() -> None:
    layer = torch.nn.Linear(4, 4).bfloat16()
    with faster_products(layer):
        assert "forward" not in vars(layer)
