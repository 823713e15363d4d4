"""What a recipe may say of a stage, and the TRL config it becomes: TRL's own arguments, checked
before anything loads.
"""

import difflib
import math
import re
import typing
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import Device, Dtype
from stagelift.evals.records import Record
from stagelift.stages.distributed import shared_batch
from stagelift.stages.precision import training_flags

StageKind = Literal["sft", "dpo", "grpo"]
ConfigKind = Literal[StageKind, "reward"]
KINDS: tuple[str, ...] = get_args(StageKind)
# Set elsewhere in the recipe, or by the harness; `args` must not contradict them.
RESERVED = {
    "output_dir": "the node's own folder",
    "resume_from_checkpoint": "automatic",
    "seed": "the recipe's `seed`",
    "use_cpu": "`model.dtype` and the machine",
    "bf16": "`model.dtype`",
    "fp16": "`model.dtype`",
    "model_init_kwargs": "`model`",
    "save_total_limit": "2, so that a kill while saving leaves a whole checkpoint",
    "eval_strategy": "not needed, stagelift evaluates after the stage",
}


class StageSettings(Record):
    """One training stage: where its rows come from, TRL's arguments verbatim, and (GRPO) its
    rewards.
    """

    kind: StageKind
    dataset: Source
    args: dict[str, Any] = {}
    rewards: list[str] = []


def training_config(
    kind: ConfigKind,
    args: dict[str, Any],
    folder: Path,
    seed: int,
    on: Device,
    precision: Dtype,
    processes: int = 1,
) -> Any:
    """Build TRL's config of a stage or of a reward model, for each of `processes` that share its
    batches.

    Raises ValueError in one sentence for an argument it would not take.
    """
    config_class = _config_class(kind)
    try:
        asked = {name: _checked(config_class, name, value) for name, value in args.items()}
        given = shared_batch(
            asked, {field.name: field.default for field in fields(config_class)}, processes
        )
        ours = {
            **_DEFAULTS,
            **_flags(on, precision, given),
            **given,
            "output_dir": str(folder),
            "seed": seed,
        }
        config = config_class(**ours)
        return config if kind != "grpo" else config_class(**ours | _grpo_saving(config, given))
    except Exception as error:
        # configs raise ValueError, TypeError, ImportError and more, all for what the user gave
        raise ValueError(f"Stage '{kind}': {_sentence(error)}") from error


def _config_class(kind: ConfigKind) -> Any:
    import trl

    return {
        "sft": trl.SFTConfig,
        "dpo": trl.DPOConfig,
        "grpo": trl.GRPOConfig,
        "reward": trl.RewardConfig,
    }[kind]


# Ours where the recipe is silent: log every step, save ten times, keep two checkpoints.
_DEFAULTS = {
    "logging_steps": 1,
    "save_strategy": "steps",
    "save_steps": 0.1,
    "save_total_limit": 2,
    "report_to": "none",
    "disable_tqdm": True,
}


def _flags(on: Device, precision: Dtype, given: dict[str, Any]) -> dict[str, Any]:
    flags = training_flags(on, precision)
    # the older name of the same switch, if the user prefers it
    if "gradient_checkpointing" in given:
        del flags["activation_checkpointing"]
    return flags


def _grpo_saving(config: Any, given: dict[str, Any]) -> dict[str, Any]:
    """GRPO resumes exactly only from a step at which it was about to generate: save there, or
    refuse to save elsewhere.
    """
    accumulated = config.gradient_accumulation_steps
    every = (
        math.lcm(config.steps_per_generation * config.num_iterations, accumulated) // accumulated
    )
    if every == 1:
        return {}
    if given.get("save_strategy", "steps") == "epoch" or given.get("save_steps", every) % every:
        raise ValueError(
            f"GRPO resumes only where it generates, every {every} steps: make save_steps a "
            f"multiple of {every}."
        )
    return {"save_steps": given.get("save_steps", every)}


def _checked(config_class: Any, name: str, value: Any) -> Any:
    """Check one argument's name and type and return it coerced, so that a YAML string that is a
    number becomes one.
    """
    known = {field.name for field in fields(config_class)}
    if name in RESERVED:
        raise ValueError(f"'{name}' cannot be set in args: it is {RESERVED[name]}.")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        raise ValueError(f"{config_class.__name__} has no argument '{name}'{hint}")
    return _coerced(config_class.__name__, name, value, typing.get_type_hints(config_class)[name])


def _coerced(owner: str, name: str, value: Any, annotation: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        # lists of one, enums and numbers in strings: pydantic's lax mode accepts what argparse
        # would
        return TypeAdapter(
            annotation, config=ConfigDict(arbitrary_types_allowed=True)
        ).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ValueError(
            f"{owner} argument '{name}' is {value!r}, which does not fit: {reason}."
        ) from error


def _sentence(error: Exception) -> str:
    """Take the first sentence of a message and end it properly."""
    text = " ".join(str(error).split())
    first = re.split(r"(?<=[.?!]) (?=[A-Z])", text)[0] if len(text) > 300 else text
    return first if first.endswith((".", "!", "?")) else f"{first}."
