"""Fields of a recipe set by dotted keys, as `--set` and `variants` do: `lora.r`, `seeds.0`.

A stage is reached by its name (`stages.sft-2.args.max_steps`) or its position, and null takes it
out of the list.
"""

import re
from typing import Any

from stagelift.evals.nearest import did_you_mean
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.credentials import check_no_credentials, check_override
from stagelift.harness.recipes.stage_names import stage_names
from stagelift.harness.recipes.yaml_text import read_yaml

# sections that may be written as their path alone
PATH_ALONE = ("model", "data", "dataset", "prompts", "gold", "pairs", "validation")


def apply_override(content: dict[str, Any], override: str) -> None:
    """Change a recipe's content by one `key=value` of `--set`. Raises UsageError."""
    key, value = read_override(override, example="seed=1")
    set_field(content, key, value, f"--set {override}")


def read_override(override: str, example: str) -> tuple[str, Any]:
    """Read `key=value`, the value as YAML. Raises UsageError, showing an example."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        shown = re.split(r"[:\s]", override)[0]
        example = f"{shown}=VALUE" if ":" in override else example
        raise UsageError(f"--set {shown} is not key=value. Write it as --set {example}.")
    check_override(key, text)
    # what is no YAML is not quoted: nobody knows what stands in it
    value = read_yaml(text, f"The value of --set {key}")
    check_no_credentials({key: value}, "--set")
    return key, value


def set_field(content: dict[str, Any], key: str, value: Any, what: str) -> None:
    """Set one dotted key of a recipe's content. Raises UsageError, saying `what` leads nowhere."""
    *parents, last = key.split(".")
    place: Any = content
    above = ""
    for part in parents:
        place = _entered(place, above, part, what)
        above = part
    if isinstance(place, dict):
        place[last] = value
    elif isinstance(place, list) and above == "stages" and value is None:
        del place[_stage_position(place, last, what)]
    elif isinstance(place, list) and _is_position(last, place):
        place[int(last)] = value
    elif isinstance(place, list) and above == "stages":
        position = _stage_position(place, last, what)
        place[position] = {_kind(place[position]): value}
    else:
        raise _leads_nowhere(what, place, last)


def _entered(place: Any, above: str, part: str, what: str) -> Any:
    """Return what stands under one part of a key; `above` is the part before it."""
    if isinstance(place, dict):
        if place.get(part) is None:
            place[part] = {}
        elif part in PATH_ALONE and isinstance(place[part], str):
            place[part] = {"path": place[part]}
        return place[part]
    if not isinstance(place, list):
        raise _leads_nowhere(what, place, part)
    if above != "stages":
        if not _is_position(part, place):
            raise _leads_nowhere(what, place, part)
        return place[int(part)]
    if _is_position(part, place):
        place[int(part)] = _with_settings(place[int(part)])
        return place[int(part)]
    position = _stage_position(place, part, what)
    stage = place[position] = _with_settings(place[position])
    return stage[_kind(stage)]


def _stage_position(stages: list[Any], name: str, what: str) -> int:
    names = stage_names([_called(stage) for stage in stages])
    if _is_position(name, stages):
        return int(name)
    if name not in names:
        known = ", ".join(filter(None, names)) or "none"
        raise UsageError(
            f"{what} leads nowhere: there is no stage '{name}'. Stages: {known}."
            f"{did_you_mean(name, names)}"
        )
    return names.index(name)


def _kind(stage: Any) -> str:
    """Return the kind of a stage as it is written: `sft`, or `sft: {...}`; empty if it is none."""
    if isinstance(stage, dict) and len(stage) == 1:
        return str(next(iter(stage)))
    return stage if isinstance(stage, str) else ""


def _called(stage: Any) -> str:
    """Return the name of a checkpoint that has one, and of any other stage its kind."""
    kind = _kind(stage)
    settings = stage[kind] if kind == "checkpoint" and isinstance(stage, dict) else None
    name = settings.get("name") if isinstance(settings, dict) else None
    return name if isinstance(name, str) else kind


def _with_settings(stage: Any) -> Any:
    """Return a stage with a place for its settings, which `sft` and `sft:` have not."""
    kind = _kind(stage)
    if isinstance(stage, str) or (kind and stage[kind] is None):
        return {kind: {}}
    return stage


def _is_position(part: str, items: list[Any]) -> bool:
    return part.isdecimal() and int(part) < len(items)


def _leads_nowhere(what: str, place: Any, part: str) -> UsageError:
    if isinstance(place, list):
        there = f"a list of {len(place)}, which is entered by a position from 0 on"
    else:
        there = f"the value {place!r}"
    return UsageError(f"{what} leads nowhere: before '{part}' there is {there}.")
