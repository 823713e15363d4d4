"""Products through oneDNN are the products that torch makes, and so are their gradients."""

import pytest
import torch

from stagelift.evals.models.cpu import can_pack
from stagelift.stages import products
from stagelift.stages.products import faster_products


@pytest.mark.skipif(not can_pack(), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("frozen", [True, False])
def test_outputs_and_gradients_are_those_of_torch(
    frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # on this machine it may not be
    monkeypatch.setattr(products, "onednn_is_faster", lambda: True)
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
        assert "forward" in vars(model[0])
        here = learnt()
    assert "forward" not in vars(model[0])
    assert len(here) == len(usual) == (4 if frozen else 5)
    for one, other in zip(here, usual, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_a_forward_that_was_put_on_a_layer_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "onednn_is_faster", lambda: True)
    layer = torch.nn.Linear(4, 4)
    layer.forward = torch.relu  # type: ignore[method-assign]  # as TRL does
    with faster_products(layer):
        assert layer.forward is torch.relu
    assert layer.forward is torch.relu


def test_layers_in_16_bits_are_left_alone() -> None:
    layer = torch.nn.Linear(4, 4).bfloat16()
    with faster_products(layer):
        assert "forward" not in vars(layer)
