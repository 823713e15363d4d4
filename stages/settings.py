"""What a recipe may say of a stage, and the TRL config it becomes: TRL's own arguments, checked
before anything loads.
"""

import difflib
import re
import typing
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import AfterValidator

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import Device, Dtype
from stagelift.evals.records import Record
from stagelift.evals.remembered import remembered
from stagelift.stages.distributed import shared_batch
from stagelift.stages.kind import Method
from stagelift.stages.kinds import kind_named
from stagelift.stages.precision import training_flags

# the name of a kind of stage
StageKind = Annotated[str, AfterValidator(lambda name: kind_named(name).name)]
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
    """One training stage: where its rows come from, TRL's arguments verbatim, and the rewards of a
    kind that takes them.
    """

    kind: StageKind
    dataset: Source
    args: dict[str, Any] = {}
    rewards: list[str | dict[str, Any]] = []


def training_config(
    method: Method,
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
    try:
        config_class = _config_class(method)
        defaults = {field.name: field.default for field in fields(config_class)}
        asked = {name: _checked(config_class, name, value) for name, value in args.items()}
        given = shared_batch(asked, defaults, processes)
        ours = {
            **_DEFAULTS,
            **_flags(on, precision, given),
            **given,
            "output_dir": str(folder),
            "seed": seed,
        }
        config = config_class(**ours)
        settled = method.settle(config, given, processes)
        return config_class(**ours | settled) if settled else config
    except Exception as error:
        # configs raise ValueError, TypeError, ImportError and more, all for what the user gave
        raise ValueError(f"Stage '{method.name}': {_sentence(error)}") from error


def config_on_paper(method: Method, args: dict[str, Any], processes: int = 1) -> Any:
    """Build the config only to check it, or to read numbers off it: what of it JSON can hold.

    It is made for a CPU in float32, whatever the machine: the process that asks must not start a
    GPU context. A config that could be built before is remembered, which spares importing TRL.
    """
    read = partial(_values, method, args, processes)
    asked = [method.name, method.config, args, processes]
    return SimpleNamespace(**remembered("config", asked, read))


def _values(method: Method, args: dict[str, Any], processes: int) -> dict[str, Any]:
    """Return the fields of a config that are numbers, words or lists of them, without secrets."""
    config = training_config(method, args, Path("unused"), 0, "cpu", "float32", processes)
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {
        name: value
        for name, value in values.items()
        if _is_plain(value) and not name.endswith("hub_token")
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(part) for part in value)
    # an Enum of words is a word
    return value is None or type(value) in (bool, int, float, str)


def _config_class(method: Method) -> Any:
    import trl

    return getattr(trl, method.config)


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

    # Pydantic's lax mode accepts what argparse would: lists of one, enums and numbers in strings.
    adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ValueError(
            f"{owner} argument '{name}' is {value!r}, which does not fit: {reason}."
        ) from error


def _sentence(error: Exception) -> str:
    """Take the first sentence of a message and end it properly."""
    text = " ".join(str(error).split())
    if len(text) > 300:
        text = re.split(r"(?<=[.?!]) (?=[A-Z])", text)[0]
    return text if text.endswith((".", "!", "?")) else f"{text}."
