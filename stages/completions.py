"""What kinds have in common that learn from completions of their own: prompts, where they may save,
and what generating costs.
"""

import math
from typing import Any

from stagelift.stages.kind import Row, RowCost
from stagelift.stages.rows.turns import asked


def rewarded_prompt(question: str, answer: str) -> list[Row]:
    """Return the prompt alone; the answer goes to the rewards."""
    return [{"prompt": asked(question), "answer": answer}]


def saved_where_it_generates(config: Any, given: dict[str, Any], _processes: int) -> dict[str, Any]:
    """Save only where completions are about to be generated: nowhere else is a resume exact.

    Raises ValueError where the arguments ask to save elsewhere.
    """
    accumulated = config.gradient_accumulation_steps
    batches = math.lcm(config.steps_per_generation * config.num_iterations, accumulated)
    every = batches // accumulated
    if every == 1:
        return {}
    asked_for = given.get("save_steps", every)
    if given.get("save_strategy", "steps") == "epoch" or asked_for % every:
        raise ValueError(
            f"it resumes only where it generates, every {every} steps: make save_steps a multiple "
            f"of {every}."
        )
    return {"save_steps": asked_for}


def generation_cost(config: Any, forwards: int) -> RowCost:
    """Return the cost of one completion; a row of the dataset is a prompt, which gets several."""
    return RowCost(
        generated=config.max_completion_length,
        times=config.num_generations * config.num_iterations,
        forwards=forwards,
    )
