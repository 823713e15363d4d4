"""Completions to learn from come from the engine that evaluations use.

It is given the policy as it is, once for each generation. Every completion draws from a seed of its
own, and those are drawn from torch's random numbers, which a resumed training finds as they were.
"""

from collections.abc import Sequence
from typing import Any

import torch

from stagelift.evals.models.engines.engine import Request, Sampling
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.model import context_of

# what the engine does: it draws from the whole distribution at a temperature
_WHOLE_DISTRIBUTION: dict[str, tuple[Any, ...]] = {
    "top_p": (1.0,),
    "top_k": (0, None),
    "min_p": (None, 0.0),
    "repetition_penalty": (1.0,),
    "generation_kwargs": (None, {}),
    "cache_implementation": (None,),
    "use_vllm": (False,),
    "use_transformers_continuous_batching": (False,),
    "cast_lm_head_to_fp32": (False,),
}


def what_the_engine_does_not(args: Any) -> str | None:
    """Return which of TRL's arguments asks for what the engine does not do, or None."""
    for name, does in _WHOLE_DISTRIBUTION.items():
        # RLOO does not have all of GRPO's
        value = getattr(args, name, does[0])
        if value not in does:
            return f"{name} is {value}"
    sharded = next((name for name in ("fsdp", "deepspeed") if getattr(args, name)), None)
    return None if sharded is None else f"{sharded} shards the weights"


def completed(trainer: Any, prompts: Sequence[Sequence[int]]) -> list[list[int]] | None:
    """Return a completion of each prompt, as tokens with the end-of-turn token.

    None where the engine would be asked something else: it takes texts, cuts what does not fit into
    the model's context, and needs whole weights and an end.
    """
    if trainer.max_completion_length is None or _is_sharded(trainer):
        return None
    tokenizer = trainer.processing_class
    room = context_of(trainer.model.config) - trainer.max_completion_length
    texts = tokenizer.batch_decode(prompts)
    read = tokenizer(texts, add_special_tokens=False)["input_ids"]
    pairs = zip(prompts, read, strict=True)
    if any(len(tokens) > room or list(tokens) != again for tokens, again in pairs):
        return None
    # fewer at once, where memory ran out before
    slots = -(-len(prompts) // trainer.generated_in_parts)
    engine = TransformersEngine(trainer.model, tokenizer, slots)
    requests = [
        Request(text, (), trainer.max_completion_length, Sampling(trainer.temperature, seed))
        for text, seed in zip(texts, _seeds(trainer, len(texts)), strict=True)
    ]
    return [list(each.tokens) for each in engine.complete(requests, lambda _done: None)]


def _is_sharded(trainer: Any) -> bool:
    """Say whether each process holds a part of the weights; a launcher may have seen to it."""
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def _seeds(trainer: Any, count: int) -> list[int]:
    """Draw seeds; processes that drew the same numbers get others."""
    drawn = torch.randint(2**31, (count,)).tolist()
    accelerator = trainer.accelerator
    return [seed * accelerator.num_processes + accelerator.process_index for seed in drawn]
