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

from pydantic import BaseModel, ValidationError

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.overrides import apply_override, set_field
from stagelift.harness.recipes.sections import RaySection, Recipe
from stagelift.harness.recipes.yaml_text import read_yaml, read_yaml_file

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
    content, where = _read(name)
    if not isinstance(content, dict):
        raise UsageError(f"{where} is not a recipe: expected keys such as name, model and stages.")
    for override in overrides:
        apply_override(content, override)
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
        set_field(content, key, copy.deepcopy(value), f"{key} in {where}")
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


def _read(name: str) -> tuple[Any, str]:
    """Return what a recipe's YAML holds, and where it is from."""
    if name in shipped_recipes():
        where = f"recipe '{name}'"
        return read_yaml((_recipes() / f"{name}.yaml").read_text(encoding="utf-8"), where), where
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"No recipe '{name}': it is neither a file nor one of the shipped recipes "
            f"({', '.join(shipped_recipes())})."
        )
    return read_yaml_file(path, path.name), path.name


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
