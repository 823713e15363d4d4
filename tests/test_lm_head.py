"""Skipping the positions without a label must not change a loss or a gradient."""

from pathlib import Path

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from stagelift.evals.models.model import ModelRef, load_base
from stagelift.stages.lm_head import masked_positions_skipped


def loss_and_gradient(folder: Path) -> tuple[float, torch.Tensor]:
    model = load_base(ModelRef(path=str(folder), dtype="float32", device="cpu"))
    add_fused_lm_head(model)
    tokens = torch.randint(3, 500, (3, 20), generator=torch.Generator().manual_seed(0))
    labels = tokens.clone()
    labels[:, :12] = -100
    labels[1, 15:] = -100
    out = model(input_ids=tokens, labels=labels, fused_lm_head=True)
    out.loss.backward()
    return out.loss.item(), model.model.layers[0].self_attn.q_proj.weight.grad


def test_losses_and_gradients_are_equal(tiny_model: Path) -> None:
    plain_loss, plain_gradient = loss_and_gradient(tiny_model)
    with masked_positions_skipped():
        skipped_loss, skipped_gradient = loss_and_gradient(tiny_model)
    assert skipped_loss == pytest.approx(plain_loss, rel=1e-6)
    assert torch.allclose(skipped_gradient, plain_gradient, rtol=1e-4, atol=1e-7)


def test_the_patch_is_gone_afterwards() -> None:
    import trl.trainer.utils

    before = trl.trainer.utils._use_triton
    with masked_positions_skipped():
        assert trl.trainer.utils._use_triton is not before
    assert trl.trainer.utils._use_triton is before
