"""Which numbers a training can be done with: the bounds of TRL's and peft's arguments.

TRL and peft take most numbers as they come, and a training then stops in its first step, learns
nothing, or ends in NaN. The bounds are those that the optimizers of torch, the trainers of
transformers and TRL, and peft compute with; a number that only makes no sense is no concern of
theirs.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """From where to where a number may be; `above` and `below` leave the ends out.

    `also` is a value apart, with a meaning of its own in TRL. `instead` is what would work.
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False
    also: float | None = None
    instead: str = ""

    def hold(self, value: float) -> bool:
        """Say whether a number is within them."""
        is_high = value > self.low if self.above else value >= self.low
        is_low = value < self.high if self.below else value <= self.high
        return (is_high and is_low) or value == self.also

    def said(self) -> str:
        """Write them: `above 0 and at most 1`."""
        if not self.above and self.low == 1 and self.high == math.inf:
            return "at least 1"
        low = f"above {self.low:g}" if self.above else f"at least {self.low:.10g}"
        if self.high == math.inf:
            return low
        return f"{low} and {'below' if self.below else 'at most'} {self.high:.10g}"


def check_numbers(given: Mapping[str, Any], bounds: Mapping[str, Bounds], place: str) -> None:
    """Raise ValueError, in a sentence that begins with the place, where a number cannot work.

    Numbers without bounds must be finite; so must those inside lists and settings of settings.
    """
    for name, value in given.items():
        if not all(abs(number) < _LARGEST for number in _numbers(value)):
            raise ValueError(f"{place}{name} is {value!r:.60}, and must be a finite number.")
        known = bounds.get(name)
        # what is no number is for whoever reads it
        if known is None or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not known.hold(value):
            instead = f" {known.instead}" if known.instead else ""
            raise ValueError(f"{place}{name} is {value!r}, and must be {known.said()}.{instead}")


def check_together(given: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Raise ValueError, in a sentence, where arguments of TRL that are fine alone are not together.

    `usual` holds TRL's own values.
    """
    args = {**usual, **given}
    _check_intervals(args)
    if args.get("sync_ref_model"):
        raise ValueError(
            "sync_ref_model is true, and a stage that trains an adapter has no reference model to "
            "synchronise: its reference is the adapter as it came in. Leave it out."
        )
    if args.get("num_generations") is not None:
        _check_groups(args)


def _check_intervals(args: Mapping[str, Any]) -> None:
    """Steps between saves, and between logs, matter only where these go by steps."""
    for what in ("save", "logging"):
        name = f"{what}_steps"
        if args.get(f"{what}_strategy") == "steps" and name in args:
            check_numbers({name: args[name]}, {name: _POSITIVE}, "args.")


def _check_groups(args: Mapping[str, Any]) -> None:
    """Completions are generated in batches of whole groups."""
    group, rows = args["num_generations"], args["per_device_train_batch_size"]
    batches = args.get("steps_per_generation") or args["gradient_accumulation_steps"]
    batch = args.get("generation_batch_size") or rows * batches
    if batch % group == 0:
        return
    if args.get("generation_batch_size"):
        raise ValueError(
            f"generation_batch_size is {batch}, which must be divisible by num_generations {group}."
        )
    fitting = group * max(1, round(rows / group))
    raise ValueError(
        f"per_device_train_batch_size {rows} x {batches} batches make {batch} completions at a "
        f"time, which must be divisible by num_generations {group}. Set "
        f"per_device_train_batch_size to {fitting}, for example."
    )


# of 64 bits; nan is not below it, nor is infinity
_LARGEST = 2**63


def _numbers(value: Any) -> Iterator[float]:
    match value:
        case bool():
            return
        case int() | float():
            yield value
        case list() | tuple():
            for part in value:
                yield from _numbers(part)
        case dict():
            for part in value.values():
                yield from _numbers(part)


_COUNT = Bounds(1)
_SHARE = Bounds(0, 1)
_POSITIVE = Bounds(0, above=True)
_NOT_NEGATIVE = Bounds(0)
_EPOCHS = "Leave it out to go by num_train_epochs."

# of every config; what depends on the kind of stage is checked where the kind is
TRAINING: Mapping[str, Bounds] = {
    # how much
    "max_steps": Bounds(1, also=-1, instead=_EPOCHS),
    "num_train_epochs": _POSITIVE,
    "per_device_train_batch_size": _COUNT,
    "per_device_eval_batch_size": _COUNT,
    "gradient_accumulation_steps": _COUNT,
    "max_length": Bounds(2, instead="A row needs a token to predict and one before it."),
    "dataset_num_proc": _COUNT,
    "dataloader_num_workers": _NOT_NEGATIVE,
    "dataloader_prefetch_factor": _COUNT,
    "precompute_ref_batch_size": _COUNT,
    "data_seed": Bounds(0, 2**32 - 1),
    # the optimizer
    "learning_rate": Bounds(0, above=True, instead="With LoRA, 1e-5 to 1e-3 is usual."),
    "warmup_steps": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "adam_beta1": Bounds(0, 1, below=True),
    "adam_beta2": Bounds(0, 1, below=True),
    "adam_epsilon": _POSITIVE,
    "max_grad_norm": Bounds(0, instead="0 turns clipping off."),
    # losses
    "label_smoothing_factor": Bounds(0, 1, below=True),
    "label_smoothing": Bounds(0, 0.5, below=True),
    "beta": _NOT_NEGATIVE,
    "ld_alpha": _SHARE,
    "discopop_tau": _POSITIVE,
    "desirable_weight": _NOT_NEGATIVE,
    "undesirable_weight": _NOT_NEGATIVE,
    "ref_model_mixup_alpha": _SHARE,
    "ref_model_sync_steps": _COUNT,
    "neftune_noise_alpha": _NOT_NEGATIVE,
    # completions
    "num_generations": Bounds(2, instead="Completions of one prompt are compared."),
    "num_generations_eval": _COUNT,
    "max_completion_length": _COUNT,
    "generation_batch_size": _COUNT,
    "steps_per_generation": _COUNT,
    "num_iterations": _COUNT,
    "temperature": Bounds(0, above=True, instead="Equal completions teach nothing."),
    "top_p": Bounds(0, 1, above=True),
    "top_k": Bounds(0, also=-1, instead="0 turns it off."),
    "min_p": _SHARE,
    "repetition_penalty": _POSITIVE,
    "epsilon": _POSITIVE,
    "epsilon_high": _POSITIVE,
    "delta": _POSITIVE,
    "top_entropy_quantile": _SHARE,
    "vllm_gpu_memory_utilization": Bounds(0, 1, above=True),
    "vllm_tensor_parallel_size": _COUNT,
}
# peft's LoraConfig
LORA: Mapping[str, Bounds] = {
    "r": Bounds(1, instead="8 to 64 is usual."),
    "lora_alpha": Bounds(0, above=True, instead="It is mostly r or twice r."),
    "lora_dropout": Bounds(0, 1, below=True),
}
