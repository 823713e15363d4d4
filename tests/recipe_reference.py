"""docs/recipe-reference.md: every key that a recipe may have, made of the models that read recipes.

To write it anew after a change of these:

python -m tests.recipe_reference
"""

import ast
import inspect
import re
import textwrap
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stagelift.evals.data.source import Source
from stagelift.evals.judges.load import VerdictsJudge
from stagelift.evals.judges.openai_server import OpenAIJudge
from stagelift.evals.judges.reward_model import RewardModelJudge
from stagelift.evals.lm_eval.tasks import TaskSettings
from stagelift.evals.metrics.scorers.scorer import Scorer
from stagelift.evals.models.engines.settings import ServerSettings, VllmSettings
from stagelift.evals.settings import RetentionSettings
from stagelift.harness.recipes import sections
from stagelift.stages.exports.export import Export

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "recipe-reference.md"
# what stands under which heading, in this order
HEADINGS: dict[str, type[BaseModel]] = {
    "The recipe": sections.Recipe,
    "A dataset": Source,
    "model": sections.ModelSection,
    "stages: one that trains": sections.StageSection,
    "stages: select": sections.SelectSection,
    "stages: checkpoint": sections.CheckpointSection,
    "evals": sections.EvalsSection,
    "evals.accuracy": sections.AccuracySection,
    "evals.preference": sections.PreferenceSection,
    "evals.preference.judge: verdicts": VerdictsJudge,
    "evals.preference.judge: reward_model": RewardModelJudge,
    "evals.preference.judge: openai": OpenAIJudge,
    "evals.tasks: one of your own": sections.OwnTaskSection,
    "evals.tasks: one of lm-eval": TaskSettings,
    "evals.validation": sections.ValidationSection,
    "evals.retention": RetentionSettings,
    "evals.engine: vllm": VllmSettings,
    "evals.engine: server": ServerSettings,
    "launcher": sections.LauncherSection,
    "ray": sections.RaySection,
    "trust": sections.TrustSection,
}
INTRODUCTION = """# Every key of a recipe

Made of the models that read recipes, by `python -m tests.recipe_reference`. [Recipes](recipes.md)
says what they are for, with examples. A key that is not here is an error. Where no default stands,
nothing is set.
"""
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}
# what has a page of its own
PAGES = {Scorer: "[scorer](own-scores.md)", Export: "[export](export.md)"}


def reference() -> str:
    """Write the whole page."""
    return "\n".join([INTRODUCTION, *(_section(*heading) for heading in HEADINGS.items())])


def _section(heading: str, model: type[BaseModel]) -> str:
    said = _descriptions(model)
    rows = [
        f"| `{field.alias or name}` | {_type(field.annotation)}{_bounds(field.metadata)} "
        f"| {_default(field)} | {said[name]} |"
        for name, field in model.model_fields.items()
        if name != "kind"
    ]
    text = inspect.cleandoc(model.__doc__ or "")
    table = ["| key | what it holds | default | |", "|---|---|---|---|", *rows]
    return "\n".join([f"## {heading}", "", text, "", *table, ""])


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Read what stands below each field in the source; every field must have it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                found[name] = _linked(" ".join(str(text).split()))
    return found


def _linked(text: str) -> str:
    return re.sub(r"\(([\w-]+)\.md\)", r"([\1](\1.md))", text).replace("|", "\\|")


def _type(annotation: Any) -> str:
    """Say in words what a value may be."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return f"{_type(inner[0])}{_bounds(inner[1:])}"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in inner if one is not NoneType))
    if origin is list:
        return f"list: {_type(inner[0])}"
    if origin is dict:
        return "keys and values" if inner[1] is Any else f"keys, each with: {_type(inner[1])}"
    return WORDS.get(annotation) or _model(annotation)


def _model(model: type[BaseModel]) -> str:
    page = next((page for kind, page in PAGES.items() if issubclass(model, kind)), None)
    heading = next((heading for heading, one in HEADINGS.items() if one is model), None)
    if page is not None or heading is None:
        # judges and engines that take no keys are named by their kind
        return page or _type(model.model_fields["kind"].annotation)
    return f"[{heading}](#{_anchor(heading)})"


def _anchor(heading: str) -> str:
    """Name the anchor of a heading, as GitHub does."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _bounds(metadata: Any) -> str:
    """Say in words how small and how large a number may be."""
    least = next((bound.ge for bound in metadata if isinstance(bound, Ge)), None)
    above = next((bound.gt for bound in metadata if isinstance(bound, Gt)), None)
    most = next((bound.le for bound in metadata if isinstance(bound, Le)), None)
    some = any(isinstance(bound, MinLen) for bound in metadata)
    parts = [
        *([f"{least} or more"] if least is not None and most is None else []),
        *([f"{least} to {most:,}"] if most is not None else []),
        *([f"above {above}"] if above is not None else []),
        *(["at least one"] if some else []),
    ]
    return "".join(f", {part}" for part in parts)


def _default(field: FieldInfo) -> str:
    """Write a default as YAML has it."""
    if field.is_required():
        return "must be given"
    value = field.default
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_unset=True) or getattr(value, "kind", {})
    if value is None or value in ({}, []):
        return ""
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).split(chr(10))[0]}`"


if __name__ == "__main__":
    DOCUMENT.write_text(reference(), encoding="utf-8")
