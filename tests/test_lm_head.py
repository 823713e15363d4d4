"""Skipping the positions without a label must not change a loss or a gradient."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from trl.trainer.utils import add_fused_lm_head

from stagelift.evals.models.model import ModelRef, load_base
from stagelift.stages.lm_head import masked_positions_skipped


def with_fused_head(folder: Path) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return a model, tokens, and labels for the last 8, 3 and 8 of them."""
    model = load_base(ModelRef(path=str(folder), dtype="float32", device="cpu"))
    add_fused_lm_head(model)
    tokens = torch.randint(3, 500, (3, 20), generator=torch.Generator().manual_seed(0))
    labels = tokens.clone()
    labels[:, :12] = -100
    labels[1, 15:] = -100
    return model, tokens, labels


def loss_and_gradient(folder: Path) -> tuple[float, torch.Tensor]:
    model, tokens, labels = with_fused_head(folder)
    out = model(input_ids=tokens, labels=labels, fused_lm_head=True)
    out.loss.backward()
    return out.loss.item(), model.model.layers[0].self_attn.q_proj.weight.grad


def test_losses_and_gradients_are_equal(tiny_model: Path) -> None:
    plain_loss, plain_gradient = loss_and_gradient(tiny_model)
    with masked_positions_skipped():
        skipped_loss, skipped_gradient = loss_and_gradient(tiny_model)
    assert skipped_loss == pytest.approx(plain_loss, rel=1e-6)
    assert torch.allclose(skipped_gradient, plain_gradient, rtol=1e-4, atol=1e-7)


def test_positions_without_a_label_are_not_projected(tiny_model: Path) -> None:
    model, tokens, labels = with_fused_head(tiny_model)

    def operations() -> int:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model(input_ids=tokens, labels=labels, fused_lm_head=True)
        return counter.get_total_flops()

    plain = operations()
    with masked_positions_skipped():
        skipped = operations()
    unlabelled = int((labels[:, 1:] == -100).sum())
    assert plain - skipped == unlabelled * 2 * model.config.hidden_size * model.config.vocab_size
    assert operations() == plain
