"""What a recipe may say of a stage, and the TRL config it becomes: TRL's own arguments, checked before anything loads."""

import difflib
import re
import typing
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args

from evals.model import Device, Dtype
from evals.records import Record
from evals.source import Source
from stages.precision import training_flags

StageKind = Literal["sft", "dpo", "grpo"]
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
}


class StageSettings(Record):
    """One training stage: where its rows come from, TRL's arguments verbatim, and (GRPO) its rewards."""

    kind: StageKind
    dataset: Source
    args: dict[str, Any] = {}
    rewards: list[str] = []


def training_config(settings: StageSettings, folder: Path, seed: int, on: Device, precision: Dtype) -> Any:
    """Build SFTConfig, DPOConfig or GRPOConfig. Raises ValueError in one sentence for an argument TRL would not take."""
    config_class = _config_class(settings.kind)
    try:
        given = {name: _checked(config_class, name, value) for name, value in settings.args.items()}
        return config_class(
            **{**_defaults(settings.kind, given), **training_flags(on, precision), **given},
            output_dir=str(folder),
            seed=seed,
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"Stage '{settings.kind}': {_sentence(error)}") from error


def _config_class(kind: StageKind) -> Any:
    import trl

    return {"sft": trl.SFTConfig, "dpo": trl.DPOConfig, "grpo": trl.GRPOConfig}[kind]


def _defaults(kind: StageKind, given: dict[str, Any]) -> dict[str, Any]:
    """Ours where the recipe is silent: log every step, keep two checkpoints, save ten times (and where resuming is exact)."""
    defaults = {"logging_steps": 1, "save_strategy": "steps", "save_steps": 0.1, "save_total_limit": 2}
    defaults |= {"report_to": "none", "disable_tqdm": True}
    steps_per_generation = given.get("steps_per_generation") or given.get("gradient_accumulation_steps", 1)
    steps = steps_per_generation * given.get("num_iterations", 1) // given.get("gradient_accumulation_steps", 1)
    if kind == "grpo" and steps > 1:
        defaults["save_steps"] = steps  # GRPO resumes exactly only where it was about to generate
    return defaults


def _checked(config_class: Any, name: str, value: Any) -> Any:
    """Check one argument's name and type and return it coerced, so that a YAML string that is a number becomes one."""
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
        # lists of one, enums and numbers in strings: pydantic's lax mode accepts what argparse would
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ValueError(f"{owner} argument '{name}' is {value!r}, which does not fit: {reason}.") from error


def _sentence(error: Exception) -> str:
    """Take the first sentence of a message and end it properly."""
    text = " ".join(str(error).split())
    first = re.split(r"(?<=[.?!]) (?=[A-Z])", text)[0] if len(text) > 300 else text
    return first if first.endswith((".", "!", "?")) else f"{first}."
