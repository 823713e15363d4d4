"""TRL's trainers that learn from completions of their own, with what is faster put before them."""

import os
from typing import Any

from trl import GRPOTrainer, RLOOTrainer

from stagelift.stages.faster import untested_version
from stagelift.stages.rollouts import completed, what_the_engine_does_not
from stagelift.stages.signal import SignalOnly
from stagelift.stages.tools import ShowsTools


def grpo_trainer(args: Any, **arguments: Any) -> Any:
    """Build a GRPOTrainer; it is TRL's own where TRL is in another version than the tested."""
    if untested_version() is not None:
        return GRPOTrainer(args=args, **arguments)
    if what_the_engine_does_not(args) is None:
        # TRL warns that the argument may change: its version is asked for before
        os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
        arguments["rollout_func"] = _rollout
    return _Grpo(args=args, **arguments)


def rloo_trainer(args: Any, **arguments: Any) -> Any:
    """Build an RLOOTrainer in the same way."""
    return (_Rloo if untested_version() is None else RLOOTrainer)(args=args, **arguments)


class _Grpo(ShowsTools, SignalOnly, GRPOTrainer):  # type: ignore[misc]  # TRL is untyped for mypy here
    # more where memory ran out before
    generated_in_parts = 1


class _Rloo(ShowsTools, SignalOnly, RLOOTrainer):  # type: ignore[misc]  # TRL is untyped for mypy here
    """RLOO takes no `rollout_func`: the engine stands where TRL calls `generate`."""

    generated_in_parts = 1

    def _generate_single_turn(self, prompts: Any, images: Any, fields: Any) -> Any:
        tokens = None
        if what_the_engine_does_not(self.args) is None and images is None and not fields:
            tokens = completed(self, prompts)
        if tokens is None:
            return super()._generate_single_turn(prompts, images, fields)
        return tokens


def _rollout(prompts: list[Any], trainer: Any) -> dict[str, Any]:
    """Return what TRL asks a `rollout_func` for; no log-probabilities, so no correction by them."""
    tokens, images, fields = trainer._tokenize_prompts(prompts)
    completions = None if images or fields else completed(trainer, tokens)
    if completions is None:
        group = trainer.num_generations
        completions, _ = trainer._generate_single_turn(tokens, images, fields, group)
    return {"prompt_ids": tokens, "completion_ids": completions, "logprobs": None}
