"""Token scores made at once, a few tokens at a time, are those of TRL's head, and so is their
gradient.
"""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM
from trl.trainer.utils import add_fused_lm_head

from stagelift.stages.lm_head import scored_once


def scored(dtype: torch.dtype, **settings: Any) -> tuple[Any, torch.Tensor]:
    """Score 3 rows of 100 tokens, 80 of them with a label, by a model without layers of 40 words:
    more than are projected at once.
    """
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=0, num_attention_heads=2)
    ).to(dtype)
    for name, value in settings.items():
        setattr(model.config, name, value)
    model.lm_head.weight.requires_grad_(False)
    add_fused_lm_head(
        model, temperature=0.7, outputs=("log_probs", "entropy", "mean_logits", "is_top1")
    )
    tokens = torch.randint(0, 40, (3, 100))
    labels = tokens.clone()
    labels[:, :20] = -100
    out = model(input_ids=tokens, labels=labels, fused_lm_head=True)
    (out.log_probs * torch.linspace(-1, 1, 297).view(3, 99)).sum().backward()
    return out, model.get_input_embeddings().weight.grad


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)], ids=str
)
def test_scores_and_gradients_are_those_of_trl(dtype: torch.dtype, tolerance: float) -> None:
    usual, usual_gradient = scored(dtype)
    with scored_once():
        scores, gradient = scored(dtype)
    for name in ("log_probs", "entropy", "mean_logits"):
        assert torch.allclose(scores[name], usual[name], atol=tolerance, rtol=tolerance), name
    assert (scores.is_top1 == usual.is_top1).float().mean() > 0.99
    assert torch.allclose(gradient, usual_gradient, atol=4 * tolerance, rtol=4 * tolerance)


def test_a_head_that_it_does_not_know_is_left_to_trl() -> None:
    usual, usual_gradient = scored(torch.float32, final_logit_softcapping=5.0)
    with scored_once():
        scores, gradient = scored(torch.float32, final_logit_softcapping=5.0)
    assert torch.equal(scores.log_probs, usual.log_probs) and torch.equal(gradient, usual_gradient)


def test_the_vocabulary_is_projected_once_and_its_gradient_once() -> None:
    with scored_once(), FlopCounterMode(display=False) as counter:
        scored(torch.bfloat16)
    assert counter.get_total_flops() == 2 * (2 * 3 * 80 * 16 * 40)
