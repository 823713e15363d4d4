"""REINFORCE leave one out: TRL's RLOOTrainer, on the rewards that GRPO takes.

A completion's advantage is its reward minus the mean of the others for the same prompt. `beta`
(0.05 if not given) times the KL divergence from the previous stage (the adapter as it came in) is
taken off the reward.
"""

from typing import Any

from stagelift.stages.completions import (
    generation_cost,
    rewarded_prompt,
    saved_where_it_generates,
)
from stagelift.stages.kind import Kind, RowCost


def _trainer(**arguments: Any) -> Any:
    from stagelift.stages.trainers import rloo_trainer

    return rloo_trainer(**arguments)


def _cost(config: Any) -> RowCost:
    # completions are scored once more by the policy that made them, and by the reference
    return generation_cost(config, forwards=2 if config.beta else 1)


RLOO = Kind(
    name="rloo",
    config="RLOOConfig",
    counts_tokens_on=True,
    settle=saved_where_it_generates,
    formats=(("prompt",),),
    from_problem=rewarded_prompt,
    texts=("prompt",),
    hid_tools=("prompt",),
    trainer=_trainer,
    rewarded=True,
    has_reference=lambda _: True,
    cost=_cost,
)
