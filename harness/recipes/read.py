"""Read a recipe: a shipped one or a YAML file, with `--set key=value` on top, checked key by
key.
"""

import copy
import difflib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.sections import RaySection, Recipe

# a recipe that is no study
ONE_CHAIN: dict[str, Any] = {
    "variants": [],
    "reference": None,
    "lattice": False,
    "seeds": [],
}


def load_recipe(name: str, overrides: list[str], run_name: str | None = None) -> Recipe:
    """Read a recipe by the name of a shipped one or by path, and apply `key=value` overrides and a
    run name.
    """
    text, where = _read(name)
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise UsageError(f"{where} is not a recipe: expected keys such as name, model and stages.")
    for override in overrides:
        _apply(content, override)
        where = f"{where} with --set {override}"
    if run_name is not None:
        content["name"] = run_name
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise UsageError(_sentence(error, where)) from error


def evaluation_recipe(
    recipe: str, overrides: list[str], model: str, adapter: str | None, run_name: str | None
) -> Recipe:
    """Take a recipe's evaluation for another model: nothing is trained, and an adapter is a stage
    after the model.
    """
    other = (
        []
        if model == load_recipe(recipe, []).model.path
        else [f"model.path={json.dumps(model)}", "model.revision=null"]
    )
    wanted = load_recipe(recipe, [*other, *overrides])
    content = (
        wanted.model_dump()
        | ONE_CHAIN
        | {"stages": [], "name": run_name or _slug(adapter or model)}
    )
    if adapter is not None:
        content["checkpoint"] = {"adapter": adapter}
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise UsageError(_sentence(error, f"what was given on top of {recipe}")) from error


def as_written(recipe: Recipe) -> dict[str, Any]:
    """Write a recipe back in the form a user writes, so that it can be read again."""
    content = recipe.model_dump(mode="json")
    content["stages"] = [
        {stage.pop("kind"): _used(stage, "lora", "launcher")} for stage in content["stages"]
    ]
    judge = content["evals"]["preference"]["judge"]
    kind = judge.pop("kind")
    content["evals"]["preference"]["judge"] = {kind: judge} if judge else kind
    if recipe.ray == RaySection():
        del content["ray"]
    return _used(content, "variants", "reference", "lattice", "seeds", "launcher", "gates")


def _used(content: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value or name not in names}


def with_settings(recipe: Recipe, settings: dict[str, Any], where: str) -> Recipe:
    """Return a recipe with dotted keys set to values, as `--set` does.

    Raises UsageError, saying `where` they are from.
    """
    content = as_written(recipe)
    for key, value in settings.items():
        # a later key may reach into it
        _put(content, key, copy.deepcopy(value), f"{key} in {where}")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise UsageError(_sentence(error, where)) from error


def _slug(path: str) -> str:
    """Name a run after the last parts of a path, in characters that a run's name may have."""
    parts = [part for part in re.split(r"[\\/]", path) if part not in ("", ".", "..")]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts[-2:]))[-80:].lstrip("._-") or "model"


def shipped_recipes() -> list[str]:
    """Name the recipes that come with stagelift."""
    return sorted(
        file.name.removesuffix(".yaml")
        for file in _recipes().iterdir()
        if file.name.endswith(".yaml")
    )


def _recipes() -> Any:
    return files("stagelift.harness.recipes")


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as in YAML 1.2 (PyYAML reads it as a string), and a key given
    twice is an error.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"key '{twice}' is given twice")
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)$"),
    list("-+0123456789."),
)


def _read(name: str) -> tuple[str, str]:
    if name in shipped_recipes():
        return (_recipes() / f"{name}.yaml").read_text(encoding="utf-8"), f"recipe '{name}'"
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"No recipe '{name}': it is neither a file nor one of the shipped recipes "
            f"({', '.join(shipped_recipes())})."
        )
    try:
        return path.read_text(encoding="utf-8"), path.name
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not a recipe: it is not text in UTF-8.") from error


def _apply(content: dict[str, Any], override: str) -> None:
    """Set one dotted key.

    A list is entered by position, or at a stage by its kind (`stages.sft.args.max_steps=5`).
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(
            f"--set {override} is not key=value. Write it for example as --set seed=1."
        )
    _put(content, key, read_value(text, override), f"--set {override}")


def _put(content: dict[str, Any], key: str, value: Any, what: str) -> None:
    *parents, last = key.split(".")
    place: Any = content
    for part in parents:
        place = _enter(place, part, what)
    if isinstance(place, list) and last.isdigit() and int(last) < len(place):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UsageError(
            f"{what} leads nowhere: '{last}' is not a key of a mapping or a position in a list."
        )


def read_value(text: str, override: str) -> Any:
    """Read the value of `--set override` as YAML does, so that 1e-3 is a number.

    Raises UsageError.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {override} has a value that is not valid YAML.") from error


def _enter(place: Any, part: str, what: str) -> Any:
    if isinstance(place, list):
        if part.isdigit() and int(part) < len(place):
            return place[int(part)]
        for position, item in enumerate(place):
            # a stage written without settings
            if item == part:
                place[position] = item = {part: {}}
            if isinstance(item, dict) and part in item:
                return _enter(item, part, what)
    if isinstance(place, dict):
        if place.get(part) is None:
            place[part] = {}
        return place[part]
    raise UsageError(f"{what} leads nowhere: there is no '{part}' in the recipe at that place.")


def _sentence(error: ValidationError, where: str) -> str:
    """Say the first thing that is wrong, with the nearest known key where a key is unknown."""
    # a misspelt key is also a missing one: the misspelling is what is wrong
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    place = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "extra_forbidden":
            known = _known_keys(Recipe, first["loc"][:-1])
            near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            return f"Unknown key '{place}' in {where}: {hint}Known keys there: {', '.join(known)}."
        case "missing":
            return f"Key '{place}' is missing in {where}."
        case "union_tag_invalid":
            return (
                f"Key '{place}' in {where} names an unknown {place.rpartition('.')[2]}, "
                f"'{first['ctx']['tag']}'. Known: "
                + (f"{first['ctx']['expected_tags'].replace(chr(39), '')}.")
            )
        case "value_error":
            return f"{first['ctx']['error']!s} (in {where})"
        case _:
            return f"Key '{place}' in {where} is {first['input']!r}, which does not fit: {first['msg']}."


def _known_keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    found = [model]
    for part in place:
        if isinstance(part, str):
            found = _entered(found, part)
    return [name for name in found[0].model_fields if name != "kind"]


def _entered(models: list[type[BaseModel]], part: str) -> list[type[BaseModel]]:
    """Follow one part of a place: a field of one of the models, else the kind that tells them
    apart.
    """
    fields = [model.model_fields[part] for model in models if part in model.model_fields]
    if not fields:
        return [
            model for model in models if part in get_args(model.model_fields["kind"].annotation)
        ] or models
    return [found for field in fields for found in _models_in(field.annotation)] or models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Find the sections a field can hold, also inside `list[...]` and `... | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for arg in get_args(annotation) for found in _models_in(arg)]
