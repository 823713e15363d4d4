"""Completions of one prompt stay together in a micro-batch, where their prompt is computed once.

TRL shuffles the completions of a generation before it deals them out to micro-batches. Here whole
groups are shuffled. The sum of all micro-batches is the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from stagelift.stages.signal import entropy_is_learnt


@contextmanager
def kept_whole(trainer: Any) -> Iterator[None]:
    """Within this context TRL shuffles groups, where the order does not change the gradient."""
    if not hasattr(trainer, "num_generations") or not any_order_teaches_the_same(trainer):
        yield
        return
    from trl.trainer import grpo_trainer, rloo_trainer

    usual = grpo_trainer.shuffle_sequence_dict

    def shuffled(batch: dict[str, Any]) -> dict[str, Any]:
        rows, group = len(batch["advantages"]), trainer.num_generations
        return usual(batch) if rows % group else _in_order(batch, _order(rows, group))

    grpo_trainer.shuffle_sequence_dict = rloo_trainer.shuffle_sequence_dict = shuffled
    try:
        yield
    finally:
        grpo_trainer.shuffle_sequence_dict = rloo_trainer.shuffle_sequence_dict = usual


def any_order_teaches_the_same(trainer: Any) -> bool:
    """Say whether a step's gradient is that of all completions, however they are dealt out.

    It is not where a generation lasts for several steps, or where a micro-batch takes a mean over
    its own tokens.
    """
    args = trainer.args
    return bool(
        args.gradient_accumulation_steps % args.steps_per_generation == 0
        and getattr(trainer, "loss_type", "") != "bnpo"
        and not entropy_is_learnt(trainer)
        and getattr(trainer, "top_entropy_quantile", 1.0) == 1
        and not trainer.aux_loss_enabled
    )


def _order(rows: int, group: int) -> torch.Tensor:
    """Shuffle the groups; rows keep their order within one."""
    first = torch.randperm(rows // group) * group
    return (first[:, None] + torch.arange(group)).flatten()


def _in_order(batch: dict[str, Any], order: torch.Tensor) -> dict[str, Any]:
    def reordered(values: Any) -> Any:
        if values is None or (isinstance(values, torch.Tensor) and values.ndim == 0):
            return values
        if isinstance(values, torch.Tensor):
            return values[order.to(values.device)]
        return [values[place] for place in order.tolist()]

    return {name: reordered(values) for name, values in batch.items()}
