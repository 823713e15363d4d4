"""What is wrong with a recipe, a sentence for each mistake, with the line of its file."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from stagelift.evals import records
from stagelift.evals.nearest import did_you_mean, nearest
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.yaml_text import line_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# trainers have hundreds of arguments, and which ones there are is known when they are loaded
_UNDER_ARGS = (
    " An argument of a trainer stands under the args of its stage: sft: {args: {max_steps: 10}}, "
    "or --set stages.sft.args.max_steps=10."
)

# mistakes that are said at once
_MOST = 10
# what people set beside `lora` and mean in it
_OF_LORA = ("r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora")
# a whole number above this is a seed rather than how many
_MANY_SEEDS = 17


def mistakes_in(error: ValidationError, where: str, text: str = "") -> list[str]:
    """Say what is wrong, a sentence each, with the nearest known key where a key is unknown.

    `text` is the recipe as it is written, for the line; "" where there is none.
    """
    mistakes = error.errors()
    # a misspelt key is also a missing one: the misspelling is what is wrong
    misspelt = [mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"]
    others = [
        mistake
        for mistake in mistakes
        if mistake["type"] != "extra_forbidden"
        and not (mistake["type"] == "missing" and _has_misspelt(mistake["loc"][:-1], misspelt))
    ]
    apart = _apart([*misspelt, *others])[:_MOST]
    return [_said(mistake, _where(mistake, where, text), where) for mistake in apart]


def _has_misspelt(section: tuple[int | str, ...], misspelt: "Sequence[ErrorDetails]") -> bool:
    return any(mistake["loc"][:-1] == section for mistake in misspelt)


def _apart(mistakes: "Sequence[ErrorDetails]") -> "list[ErrorDetails]":
    """Leave out what is said of a place, or of what lies in it, a second time: a value that may be
    of several kinds is refused by each.
    """
    kept: dict[tuple[str, ...], ErrorDetails] = {}
    for mistake in mistakes:
        place = tuple(_written(mistake["loc"]).split("."))
        if mistake["loc"][:1] == ("variants",):
            place = ("variants",)
        said = any(place[: len(one)] == one or one[: len(place)] == place for one in kept)
        if not said:
            kept[place] = mistake
    return [*kept.values()]


def _where(mistake: "ErrorDetails", where: str, text: str) -> str:
    line = line_of(text, mistake["loc"]) if text else None
    return where if line is None else f"line {line} of {where}"


def _said(mistake: "ErrorDetails", where: str, whole: str) -> str:
    place = _written(mistake["loc"])
    if mistake["loc"][:1] == ("variants",):
        return _no_variants(mistake["input"], where)
    match mistake["type"]:
        case "extra_forbidden":
            return _unknown_key(mistake["loc"], where)
        case "missing":
            return f"Key '{place}' is missing in {where}{_to_paste(place)}."
        case "union_tag_invalid":
            what = place.rpartition(".")[2]
            known = mistake["ctx"]["expected_tags"].replace("'", "")
            tag = str(mistake["ctx"]["tag"])[:200]
            return (
                f"Key '{place}' in {where} names an unknown {what}, '{tag}'. Known: {known}."
                f"{did_you_mean(tag, known.split(', '))}"
            )
        case records.NO_NUMBER:
            key, value = mistake["ctx"]["field"], mistake["ctx"]["given"]
            return f"Key '{_written([*mistake['loc'], key])}' in {where} is {value}, not a number."
        case "bool_parsing" | "bool_type":
            return (
                f"Key '{place}' in {where} is {_value(mistake['input'])}, neither true nor false."
            )
        case "model_type" | "dict_type" | "model_attributes_type":
            return _no_section(mistake, where)
        case "value_error":
            return f"{mistake['ctx']['error']!s} (in {where if mistake['loc'] else whole})"
        case _:
            value, reason = mistake["input"], mistake["msg"]
            return (
                f"Key '{place}' in {where} is {_value(value)}, which does not fit: {reason}"
                f"{_instead(mistake['type'], place, value)}.{_meant(mistake)}"
            )


def _no_variants(value: Any, where: str) -> str:
    return (
        f"Key 'variants' in {where} holds {_value(value)}, which is no variant. Write a grid of "
        "dotted keys, each with the values it takes, such as variants: {lora.r: [4, 16, 64]}, or a "
        "list of settings, such as variants: [{lora.r: 4}, {lora.r: 16}]."
    )


def _to_paste(place: str) -> str:
    """Return, as a clause, a line that supplies a key that is missing."""
    examples = {
        "name": "name: mine",
        "stages": "stages: [sft], or for an evaluation only stages: []",
        "path": "path: train.jsonl",
        "task": "task: ifeval",
    }
    example = examples.get(place.rpartition(".")[2])
    return "" if example is None else f". Write it, such as: {example}"


def _no_section(mistake: "ErrorDetails", where: str) -> str:
    """Say that a value stands where keys are asked, and which these are."""
    place, value = mistake["loc"], mistake["input"]
    what = "a list" if isinstance(value, list) else _value(value)
    known = _known_keys([*place]) if mistake["type"] != "dict_type" else []
    keys = f" Known keys there: {', '.join(known)}." if known else ""
    return (
        f"Key '{_written(place)}' in {where} is {what}, and keys with values belong there"
        f"{_of_source(known)}.{keys}"
    )


def _of_source(known: Sequence[str]) -> str:
    is_source = {"path", "split", "columns"} <= {*known}
    return ", or one file, folder or Hub name, such as train.jsonl" if is_source else ""


def _instead(mistake: str, place: str, value: Any) -> str:
    """Say, as a clause, what to write instead; "" where that is plain."""
    last = place.rpartition(".")[2]
    if value is None:
        return f". Give it a value, or leave {last} out"
    if mistake == "list_type" and last == "seeds" and value in range(2, _MANY_SEEDS):
        return f". For {value} seeds write seeds: {[*range(value)]}"
    if mistake == "list_type" and isinstance(value, str | int | float):
        return f". Write it as a list: {last}: [{value!s:.60}]"
    is_all = isinstance(value, str) and value.strip().lower() in ("all", "none", "every")
    return f". For all of them write {last}: null" if is_all and last == "limit" else ""


def _value(value: Any) -> str:
    """Write a value as YAML has it."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case _:
            return f"{value!r:.200}"


def _meant(mistake: "ErrorDetails") -> str:
    """Return, as a sentence, the one of several words that was meant; "" where that is unknown."""
    if mistake["type"] not in ("literal_error", "enum"):
        return ""
    words = re.findall("'([^']*)'", mistake["ctx"]["expected"])
    return did_you_mean(mistake["input"], words)


def _written(place: Sequence[int | str]) -> str:
    """Write a place as a recipe has it: which of two sections was read there is no part of it."""
    names = [str(part) for part in place]
    return ".".join(
        name for name in names if not name.endswith(("Section", "Settings")) and "[" not in name
    )


def _unknown_key(place: tuple[int | str, ...], where: str) -> str:
    *parents, key = place
    known = _known_keys(parents)
    of_lora = f"lora.{key}" if not parents and key in _OF_LORA else None
    near = of_lora or nearest(key, known)
    hint = f"did you mean '{near}'? " if near else ""
    written = _written(place)[:200]
    under_args = "" if near or not {*known} & {"args", "stages"} else _UNDER_ARGS
    keys = ", ".join(known)
    return f"Unknown key '{written}' in {where}: {hint}Known keys there: {keys}.{under_args}"


def _known_keys(place: list[int | str]) -> list[str]:
    sections: list[type[BaseModel]] = [Recipe]
    for part in place:
        if isinstance(part, str):
            sections = _entered(sections, part)
    fields = sections[0].model_fields if sections else {}
    return [field.alias or name for name, field in fields.items() if name != "kind"]


def _entered(sections: list[type[BaseModel]], part: str) -> list[type[BaseModel]]:
    """Follow one part of a place: into a field of a section, or to the section of that kind."""
    fields = [section.model_fields[part] for section in sections if part in section.model_fields]
    if fields:
        inside = [section for field in fields for section in _sections_in(field.annotation)]
    else:
        inside = [section for section in sections if part in _kinds(section)]
    return inside or sections


def _kinds(section: type[BaseModel]) -> tuple[Any, ...]:
    """Return what tells a section from others that may stand in its place."""
    if "kind" not in section.model_fields:
        return (section.__name__,)
    return get_args(section.model_fields["kind"].annotation)


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    """Find the sections that a field can hold, also inside `list[...]` and `... | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_in(part)]
