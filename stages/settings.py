"""What a recipe may say of a stage, and the TRL config it becomes: TRL's own arguments, checked
before anything loads.
"""

import re
import typing
from contextlib import suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import NoneType, SimpleNamespace
from typing import Annotated, Any

from pydantic import AfterValidator

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import Device, Dtype
from stagelift.evals.nearest import nearest
from stagelift.evals.records import Record
from stagelift.evals.remembered import remembered
from stagelift.stages.arguments import UPLOADING
from stagelift.stages.distributed import shared_batch
from stagelift.stages.kind import Method
from stagelift.stages.kinds import kind_named
from stagelift.stages.numbers import TRAINING, check_numbers, check_together
from stagelift.stages.precision import training_flags
from stagelift.stages.smaller_batch import in_parts
from stagelift.stages.words import check_words

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
    "chat_template_path": "the recipe's `chat_template`, in which the evaluation asks, too",
    "chat_template_kwargs": "the recipe's `chat_template`, in which the evaluation asks, too; a "
    "file may begin with {% set enable_thinking = false %}",
    "eos_token": "`model.eos_token`, at which the evaluation ends, too",
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
    parts: int = 1,
) -> Any:
    """Build TRL's config of a stage or of a reward model, for each of `processes` that share its
    batches, which are taken in so many `parts`.

    Raises ValueError in one sentence for an argument it would not take.
    """
    try:
        config_class = _config_class(method)
        defaults = {field.name: field.default for field in fields(config_class)}
        asked = {
            name: _checked(config_class, name, value)
            for name, value in args.items()
            # trackers are written to beside the training
            if name != "report_to"
        }
        check_numbers(asked, TRAINING, "args.")
        given = in_parts(shared_batch(asked, defaults, processes), defaults, parts)
        check_together(asked, defaults)
        ours = {
            **_DEFAULTS,
            **_flags(on, precision, given),
            **given,
            "output_dir": str(folder),
            "seed": seed,
        }
        config = _built(config_class, ours, given)
        check_words(config, given)
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
    """Return the fields of a config that are numbers, words or lists of them."""
    config = training_config(method, args, Path("unused"), 0, "cpu", "float32", processes)
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {name: value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(part) for part in value)
    # an Enum of words is a word
    return value is None or type(value) in (bool, int, float, str)


def _config_class(method: Method) -> Any:
    import trl

    return getattr(trl, method.config)


# Ours where the recipe is silent: log every step as it is, save ten times, keep two checkpoints.
# what other tools, and people, call them
_ALSO_CALLED = {
    "lr": "learning_rate",
    "steps": "max_steps",
    "epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "max_seq_length": "max_length",
}
_DEFAULTS = {
    "logging_steps": 1,
    "save_strategy": "steps",
    "save_steps": 0.1,
    "save_total_limit": 2,
    "report_to": "none",
    "disable_tqdm": True,
    # it would put the mean of earlier losses in the place of one that is not finite
    "logging_nan_inf_filter": False,
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
    if name in UPLOADING and value:
        raise ValueError(
            f"'{name}' cannot be set in args: nothing is uploaded while a stage is trained. "
            f"{_later(name)}"
        )
    if name not in known:
        near = nearest(name, known, _ALSO_CALLED)
        hint = "." if near is None else f"; did you mean '{near}'?"
        raise ValueError(f"{config_class.__name__} has no argument '{name}'{hint}")
    return _coerced(config_class, name, value)


def _later(name: str) -> str:
    """Say what uploads afterwards."""
    if name.startswith("trackio"):
        return "`trackio sync` uploads what trackio has."
    return "`stagelift push RUN --stage STAGE --to NAME` uploads its adapter and model card."


def _coerced(config_class: Any, name: str, value: Any) -> Any:
    """Return a value as its type says: pydantic takes what argparse would, such as numbers in
    strings. What it refuses the config may still take: its own code turns words into lists, and
    true into a word.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    annotation = typing.get_type_hints(config_class)[name]
    adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    try:
        coerced = adapter.validate_python(value)
    except ValidationError as error:
        if type(value) in _TAKEN_TOO.get(name, ()) or (value is None and annotation is bool):
            return value
        held = _held(config_class, name, value)
        with suppress(ValidationError):
            adapter.validate_python(held)
            return value
        reason = error.errors()[0]["msg"]
        if value is False and "'no'" in reason:
            reason = f"{reason}; YAML reads an unquoted no as false"
    else:
        if not (isinstance(value, bool) and type(coerced) in (int, float)):
            # a list stays one where the config is said to hold a tuple
            return list(coerced) if isinstance(value, list) else coerced
        reason = "Input should be a number"
    raise ValueError(
        f"{config_class.__name__} argument '{name}' is {value!r}, which does not fit: {reason}."
    )


# what TRL and transformers take beside what their types say: numbers of clipping and of how
# completions are sampled are left out where they are None
_TAKEN_TOO: dict[str, tuple[type, ...]] = {
    "fsdp": (bool,),
    "max_grad_norm": (NoneType,),
    "repetition_penalty": (NoneType,),
    "top_k": (NoneType,),
    "top_p": (NoneType,),
}


def _held(config_class: Any, name: str, value: Any) -> Any:
    """Return what a config holds that is given a value alone, itself where it is not taken."""
    alone = {"output_dir": "unused", "use_cpu": True, "bf16": False, name: value}
    try:
        return getattr(config_class(**alone), name)
    except Exception:  # noqa: BLE001 - configs raise errors of many kinds for what they do not take
        return value


def _built(config_class: Any, ours: dict[str, Any], given: dict[str, Any]) -> Any:
    """Build a config. What it says of an argument comes with that one's name and value."""
    try:
        return config_class(**ours)
    # of any kind: what a config says is for what the user gave
    except Exception as error:
        named = [name for name in given if re.search(rf"\b{name}\b", str(error))]
        at_fault = None if named else _at_fault(config_class, ours, given)
        if at_fault is None:
            raise
        raise ValueError(f"args.{at_fault} is {given[at_fault]!r}: {error}") from error


def _at_fault(config_class: Any, ours: dict[str, Any], given: dict[str, Any]) -> str | None:
    """Find the argument without which a config can be built."""
    for name in given:
        with suppress(Exception):
            config_class(**{other: value for other, value in ours.items() if other != name})
            return name
    return None


def _sentence(error: Exception) -> str:
    """Take the first sentence of a message and end it properly."""
    text = " ".join(str(error).split())
    if len(text) > 300:
        text = re.split(r"(?<=[.?!]) (?=[A-Z])", text)[0]
    return text if text.endswith((".", "!", "?")) else f"{text}."
