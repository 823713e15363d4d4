"""Group relative policy optimisation: TRL's GRPOTrainer, on rewards.

With `beta` > 0 the reference of the KL term is the previous stage (the adapter as it came in).
"""

from typing import Any

from stagelift.stages.completions import (
    generation_cost,
    rewarded_prompt,
    saved_where_it_generates,
)
from stagelift.stages.kind import Kind, RowCost


def _trainer(**arguments: Any) -> Any:
    from stagelift.stages.trainers import grpo_trainer

    return grpo_trainer(**arguments)


def _cost(config: Any) -> RowCost:
    # TRL asks the reference only where its KL counts
    return generation_cost(config, forwards=1 if config.beta else 0)


def _of_a_batch(config: Any) -> str | None:
    if config.loss_type == "bnpo":
        return "the loss bnpo is a mean over the tokens of a batch"
    if config.top_entropy_quantile < 1:
        return "top_entropy_quantile compares the tokens of a batch"
    if config.entropy_coef or config.use_adaptive_entropy:
        return "an entropy bonus is a mean over the tokens of a batch"
    return None


GRPO = Kind(
    name="grpo",
    config="GRPOConfig",
    counts_tokens_on=True,
    settle=saved_where_it_generates,
    of_a_batch=_of_a_batch,
    formats=(("prompt",),),
    from_problem=rewarded_prompt,
    # other columns go to rewards only
    texts=("prompt",),
    hid_tools=("prompt",),
    trainer=_trainer,
    rewarded=True,
    has_reference=lambda config: bool(config.beta),
    cost=_cost,
)
