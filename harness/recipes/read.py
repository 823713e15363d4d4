"""Read a recipe: a shipped one or a YAML file, with `--set key=value` on top."""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stagelift.evals.metrics.scorers.known import as_written as as_written_scorer
from stagelift.evals.models.engines.settings import TransformersSettings
from stagelift.evals.trust import granted, trusting
from stagelift.harness.errors import SeveralMistakes, UsageError
from stagelift.harness.recipes.credentials import check_no_credentials
from stagelift.harness.recipes.mistakes import mistakes_in
from stagelift.harness.recipes.named_models import NamedModel
from stagelift.harness.recipes.no_recipe import no_recipe, no_such_recipe
from stagelift.harness.recipes.overrides import apply_override, set_field
from stagelift.harness.recipes.relative import lead_from_here, refuse_left_behind
from stagelift.harness.recipes.sections import RaySection, Recipe, ValidationSection
from stagelift.harness.recipes.yaml_text import as_yaml_holds_it, read_yaml, read_yaml_text
from stagelift.stages.saved_checkpoints import base_of_adapters, saved_checkpoints

# a recipe by name or path, or what its YAML holds
Written = str | Mapping[str, Any]
# a recipe that is no study
_ONE_CHAIN: dict[str, Any] = {
    "variants": [],
    "reference": None,
    "lattice": False,
    "seeds": [],
}


def load_recipe(name: Written, overrides: list[str], run_name: str | None = None) -> Recipe:
    """Read a recipe by the name of a shipped one, by path, or from what a file of one holds.

    `key=value` overrides and a run's name are put on top. Raises UsageError.
    """
    content, text, where, file = _read(name)
    if not isinstance(content, dict):
        raise UsageError(no_recipe(content, where))
    check_no_credentials(content, where)
    left = [] if file is None else lead_from_here(content, file)
    for override in overrides:
        apply_override(content, override)
        # a line says nothing of what was put on top
        where, text = f"{where} with --set {override}", ""
    refuse_left_behind(content, left, where)
    if run_name is not None:
        content["name"] = run_name
    return _checked(content, where, text)


def one_chain(recipe: Recipe) -> Recipe:
    """Return a recipe without its study."""
    return recipe.model_copy(update=_ONE_CHAIN)


def evaluation_recipe(
    recipe: Written, overrides: list[str], model: str, adapter: str | None, run_name: str | None
) -> Recipe:
    """Take a recipe's evaluation for another model, and train nothing.

    An adapter becomes a stage after the model. Raises UsageError.
    """
    content = _only_evaluated(recipe, overrides, model)
    content["name"] = run_name or _run_name(adapter or model)
    if adapter is not None:
        content["checkpoint"] = {"adapter": adapter}
    return _checked(content, f"what was given on top of {_title(recipe)}")


def chain_recipe(
    recipe: Written, overrides: list[str], chain: Sequence[NamedModel], run_name: str | None
) -> Recipe:
    """Take a recipe's evaluation for a chain of models and adapters, and train nothing.

    The first is the base. Raises UsageError.
    """
    base, *later = chain
    content = _only_evaluated(recipe, overrides, base.given.path)
    if base.name != "base":
        content["model"]["name"] = base.name
    content["stages"] = [{"checkpoint": model.section()} for model in later]
    content["name"] = run_name or "-".join(str(model.name or "base") for model in chain)[:80]
    return _checked(content, f"what was given on top of {_title(recipe)}")


def trajectory_recipe(
    recipe: Written,
    overrides: list[str],
    folder: str,
    model: str | None,
    metric: str | None,
    run_name: str | None,
    model_name: str | None = None,
) -> Recipe:
    """Take a recipe's evaluation for the best of the checkpoints in a folder, and train nothing.

    The base is the model, or the one that adapters say they were trained on; it is called
    `model_name`, or base. Raises UsageError.
    """
    base = model or _base_of(folder)
    content = _only_evaluated(recipe, overrides, base)
    if model_name not in (None, "base"):
        content["model"]["name"] = model_name
    selected = {"checkpoints": folder, "metric": metric, "name": "selected"}
    content["stages"] = [{"checkpoint": selected}]
    content["name"] = run_name or _run_name(folder)
    return _checked(content, f"what was given on top of {_title(recipe)}")


def _base_of(folder: str) -> str:
    """Return the model that checkpoints lie on. Raises UsageError where they do not say."""
    try:
        base = base_of_adapters(saved_checkpoints(Path(folder)))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if base is None:
        raise UsageError(
            f"The checkpoints in '{folder}' do not say which model they were trained from. Name "
            f"it: stagelift evaluate MODEL --checkpoints {folder} --recipe RECIPE."
        )
    return base


def _title(recipe: Written) -> str:
    return recipe if isinstance(recipe, str) else "the recipe"


def _only_evaluated(recipe: Written, overrides: list[str], model: str) -> dict[str, Any]:
    """Return the content of a recipe with another model and without any stage or study."""
    this_model: list[str] = []
    if model != load_recipe(recipe, []).model.path:
        path = json.dumps(model, ensure_ascii=False)
        of_another = [f"model.{key}=null" for key in ("revision", "name", "eos_token")]
        this_model = [f"model.path={path}", *of_another]
    content = load_recipe(recipe, [*this_model, *overrides]).model_dump() | _ONE_CHAIN
    content["stages"] = []
    content["checkpoint"] = None
    if not any(override.startswith("export=") for override in overrides):
        # of what the recipe trains
        content.pop("export", None)
    return content


def as_written(recipe: Recipe) -> dict[str, Any]:
    """Write a recipe back in the form a user writes, so that it can be read again."""
    content = recipe.model_dump(mode="json")
    content["stages"] = [
        {stage.pop("kind", "checkpoint"): _without_unused(stage, "lora", "launcher", "select")}
        for stage in content["stages"]
    ]
    evals = content["evals"]
    evals["preference"]["judge"] = _kind_first(evals["preference"]["judge"])
    evals["engine"] = _kind_first(evals["engine"])
    if recipe.evals.engine == TransformersSettings():
        del evals["engine"]
    if recipe.evals.retention is None:
        del evals["retention"]
    evals["accuracy"] = _without_unused(evals["accuracy"], "sampled", "data", "scorers")
    for task in [evals["accuracy"], *evals["tasks"]]:
        if "scorers" in task:
            task["scorers"] = [as_written_scorer(scorer) for scorer in task["scorers"]]
    if recipe.evals.validation == ValidationSection():
        del evals["validation"]
    if not recipe.evals.preference.votes:
        del evals["preference"]["votes"]
    if recipe.ray == RaySection():
        del content["ray"]
    later = ("variants", "reference", "lattice", "seeds", "launcher", "gates", "tiers")
    return _without_unused(content, *later)


def _kind_first(section: dict[str, Any]) -> dict[str, Any] | str:
    """Write a section that knows its kind under that kind, or as the kind alone."""
    kind: str = section.pop("kind")
    return {kind: section} if section else kind


def with_settings(recipe: Recipe, settings: dict[str, Any], where: str) -> Recipe:
    """Return a recipe with dotted keys set to values, as `--set` does.

    Raises UsageError, saying `where` they are from.
    """
    content = as_written(recipe)
    for key, value in settings.items():
        # a later key may reach into it
        set_field(content, key, copy.deepcopy(value), f"{key} in {where}")
    return _checked(content, where)


def shipped_recipes() -> list[str]:
    """Name the recipes that come with stagelift."""
    return sorted(
        file.name.removesuffix(".yaml")
        for file in _shipped().iterdir()
        if file.name.endswith(".yaml")
    )


def _read(name: Written) -> tuple[Any, str, str, Path | None]:
    """Return what a recipe's YAML holds, its text, where it is from, and its file."""
    if not isinstance(name, str):
        return as_yaml_holds_it(name, "the recipe"), "", "the recipe", None
    if name in shipped_recipes():
        where = f"recipe '{name}'"
        text = (_shipped() / f"{name}.yaml").read_text(encoding="utf-8")
        return read_yaml(text, where), text, where, None
    path = Path(name)
    if not path.is_file():
        raise UsageError(no_such_recipe(path, shipped_recipes()))
    text = read_yaml_text(path)
    return read_yaml(text, path.name), text, path.name, path


def _shipped() -> Traversable:
    return files("stagelift.harness.recipes")


def _checked(content: dict[str, Any], where: str, text: str = "") -> Recipe:
    # before any sentence quotes a value
    check_no_credentials(content, where)
    try:
        # a schema that a scorer names is read now
        with trusting(granted(content.get("trust") == {"code": True})):
            return Recipe.model_validate(content)
    except ValidationError as error:
        first, *others = mistakes_in(error, where, text)
        raise (SeveralMistakes(first, *others) if others else UsageError(first)) from error


def _run_name(path: str) -> str:
    """Name a run after the last parts of a path, in characters that a run's name may have."""
    parts = [part for part in re.split(r"[\\/]", path) if part not in ("", ".", "..")]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts[-2:]))
    return name[-80:].lstrip("._-") or "model"


def _without_unused(section: dict[str, Any], *names: str) -> dict[str, Any]:
    """Leave out what came into recipes later, where it is not used."""
    return {name: value for name, value in section.items() if value or name not in names}
