"""Completions without signal are not computed.

A completion whose advantage is 0 adds nothing to the gradient, unless something else is learnt from
it. It still counts in every mean that TRL takes of the loss, so the gradient is the same.
Micro-batches without any signal log no entropy and no clipping.
"""

from typing import Any

import torch
from trl import GRPOTrainer


class SignalOnly:
    """Goes before TRL's GRPOTrainer or RLOOTrainer in the bases of a class."""

    # rows of the micro-batch in work; None: all of them
    _with_signal: torch.Tensor | None = None

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        of_trl: Any = super()
        with_signal = inputs["advantages"] != 0
        if with_signal.all() or "num_images" in inputs or not only_advantages_teach(self):
            loss: torch.Tensor = of_trl._compute_loss(model, inputs)
            return loss
        if not with_signal.any():
            return _nothing_learnt(model)
        self._with_signal = with_signal
        try:
            loss = of_trl._compute_loss(model, _scored_before(inputs, with_signal))
        finally:
            self._with_signal = None
        return loss

    def _get_per_token_logps_and_entropies(
        self, model: Any, tokens: torch.Tensor, mask: torch.Tensor, width: int, *at: Any, **how: Any
    ) -> Any:
        of_trl: Any = super()
        rows = self._with_signal
        if rows is None:
            return of_trl._get_per_token_logps_and_entropies(model, tokens, mask, width, *at, **how)
        logps, entropies, aux_loss = of_trl._get_per_token_logps_and_entropies(
            model, tokens[rows], mask[rows], width, *at, **how
        )
        scored = mask[rows, -width:].bool()
        usual = entropies[scored].mean() if scored.any() else entropies.new_zeros(())
        every = tokens.new_zeros(len(tokens), width, dtype=logps.dtype)
        return (
            every.masked_scatter(rows[:, None], logps),
            (every + usual.detach()).masked_scatter(rows[:, None], entropies),
            aux_loss,
        )


def only_advantages_teach(trainer: Any) -> bool:
    """Say whether a completion without advantage has a gradient of 0.

    It has not with a KL term in the loss, an entropy bonus, entropies compared across completions,
    or a loss of its own that a mixture of experts has. Processes wait for each other's gradients.
    """
    # RLOO's KL term is part of the rewards
    kl_in_loss = isinstance(trainer, GRPOTrainer) and trainer.beta != 0
    return not (
        kl_in_loss
        or entropy_is_learnt(trainer)
        or getattr(trainer, "top_entropy_quantile", 1.0) < 1
        or trainer.aux_loss_enabled
        or trainer.accelerator.num_processes > 1
    )


def entropy_is_learnt(trainer: Any) -> bool:
    """Say whether a trainer's loss has an entropy bonus; only GRPO's may have."""
    return getattr(trainer, "entropy_coef", 0.0) != 0 or getattr(
        trainer, "use_adaptive_entropy", False
    )


def _scored_before(inputs: dict[str, Any], rows: torch.Tensor) -> dict[str, Any]:
    """Let what is not scored now have been scored the same before: a ratio of 1."""
    return inputs | {
        name: inputs[name] * rows.view(-1, *[1] * (inputs[name].ndim - 1))
        for name in ("old_per_token_logps", "old_logps")
        if name in inputs
    }


def _nothing_learnt(model: Any) -> torch.Tensor:
    """Return a loss of 0 whose gradient is 0, and not missing: an optimiser moves on with what it
    learnt before.
    """
    learning = (weights for weights in model.parameters() if weights.requires_grad)
    return torch.stack([0.0 * weights.sum() for weights in learning]).sum()
