"""What is wrong with a recipe, in one sentence."""

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from stagelift.evals import records
from stagelift.harness.recipes.sections import Recipe


def first_mistake(error: ValidationError, where: str) -> str:
    """Say the first thing that is wrong, with the nearest known key where a key is unknown."""
    mistakes = error.errors()
    # a misspelt key is also a missing one: the misspelling is what is wrong
    misspelt = [mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"]
    mistake = [*misspelt, *mistakes][0]
    place = _written(mistake["loc"])
    match mistake["type"]:
        case "extra_forbidden":
            return _unknown_key(mistake["loc"], where)
        case "missing":
            return f"Key '{place}' is missing in {where}."
        case "union_tag_invalid":
            what = place.rpartition(".")[2]
            known = mistake["ctx"]["expected_tags"].replace("'", "")
            tag = str(mistake["ctx"]["tag"])[:200]
            return f"Key '{place}' in {where} names an unknown {what}, '{tag}'. Known: {known}."
        case records.NO_NUMBER:
            key, value = mistake["ctx"]["field"], mistake["ctx"]["given"]
            return f"Key '{_written([*mistake['loc'], key])}' in {where} is {value}, not a number."
        case "bool_parsing" | "bool_type":
            return f"Key '{place}' in {where} is {mistake['input']!r:.200}, neither true nor false."
        case "value_error":
            return f"{mistake['ctx']['error']!s} (in {where})"
        case _:
            value, reason = mistake["input"], mistake["msg"]
            return f"Key '{place}' in {where} is {value!r:.200}, which does not fit: {reason}."


def _written(place: Sequence[int | str]) -> str:
    """Write a place as a recipe has it: which of two sections was read there is no part of it."""
    names = [str(part) for part in place]
    return ".".join(name for name in names if not name.endswith(("Section", "Settings")))


def _unknown_key(place: tuple[int | str, ...], where: str) -> str:
    *parents, key = place
    known = _known_keys(parents)
    near = difflib.get_close_matches(str(key)[:200], known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    written = _written(place)[:200]
    return f"Unknown key '{written}' in {where}: {hint}Known keys there: {', '.join(known)}."


def _known_keys(place: list[int | str]) -> list[str]:
    sections: list[type[BaseModel]] = [Recipe]
    for part in place:
        if isinstance(part, str):
            sections = _entered(sections, part)
    fields = sections[0].model_fields
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
