"""What a user asks for: a YAML recipe, checked key by key, with `--set key=value` on top."""

import difflib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from evals.bundled import NAME as BUNDLED_MODEL
from evals.records import Record
from evals.schoolmath import CAPACITY
from evals.source import SCHOOLMATH, Source
from harness.errors import UsageError
from stages.precision import DtypeSetting
from stages.settings import KINDS, StageKind


class ModelSection(Record):
    """The model every stage starts from. `eos_token` is for base models whose chat turns end in another token."""

    path: str = BUNDLED_MODEL
    revision: str | None = None
    dtype: DtypeSetting = "auto"
    eos_token: str | None = None


class StageSection(Record):
    """One training stage; without a `dataset` it trains on the recipe's `data`."""

    kind: StageKind
    dataset: Source | None = None
    args: dict[str, Any] = {}
    rewards: list[str] = []

    @model_validator(mode="after")
    def _rewards_belong_to_grpo(self) -> "StageSection":
        if self.kind == "grpo" and not self.rewards:
            raise ValueError("Stage 'grpo' needs rewards, for example: rewards: [correctness, brevity].")
        if self.kind != "grpo" and self.rewards:
            raise ValueError(f"Stage '{self.kind}' takes no rewards; only grpo does.")
        return self


class AccuracySection(Record):
    """Which problems are asked, and how. `limit` counts test problems (None: all), `held_out` those of held-out templates."""

    task: Literal["schoolmath", "gsm8k"] = "schoolmath"
    limit: int | None = Field(default=None, ge=2)
    held_out: int = Field(default=0, ge=0)
    num_fewshot: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=256, ge=1)
    batch_size: int = Field(default=32, ge=1)


class PreferenceSection(Record):
    """Who decides which of two responses is better, and against which models each stage is judged."""

    judge: Literal["reference"] = "reference"
    against: list[Literal["base", "previous"]] = ["base", "previous"]


class EvalsSection(Record):
    """What is measured after every stage."""

    accuracy: AccuracySection = AccuracySection()
    preference: PreferenceSection = PreferenceSection()


class Recipe(Record):
    """A whole run: one model, a chain of stages, and the evaluation after each."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    seed: int = 0
    model: ModelSection = ModelSection()
    lora: dict[str, Any] = {"r": 16, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]}
    data: Source = Source(path=SCHOOLMATH)
    stages: list[StageSection]
    evals: EvalsSection = EvalsSection()

    @field_validator("stages", mode="before")
    @classmethod
    def _one_kind_each(cls, stages: Any) -> Any:
        """Turn `- sft: {...}` into a section that knows its kind."""
        if not isinstance(stages, list):
            raise ValueError("'stages' must be a list such as: [sft: {args: {max_steps: 10}}].")
        return [_stage(stage) for stage in stages]

    @model_validator(mode="after")
    def _problems_exist(self) -> "Recipe":
        accuracy = self.evals.accuracy
        if self.name == "nodes":
            raise ValueError("A run cannot be named 'nodes': that is where the trained stages lie.")
        if accuracy.held_out > CAPACITY["held_out"] or (
            accuracy.task == "schoolmath" and (accuracy.limit or 0) > CAPACITY["test"]
        ):
            raise ValueError(
                f"schoolmath has {CAPACITY['test']} test and {CAPACITY['held_out']} held-out problems, not more."
            )
        if accuracy.task == "schoolmath" and accuracy.limit is None:
            raise ValueError(
                "evals.accuracy.limit is missing: schoolmath is generated, so say how many problems to ask."
            )
        if accuracy.task == "gsm8k" and accuracy.held_out:
            raise ValueError(
                "evals.accuracy.held_out must be 0 for task gsm8k: only schoolmath has held-out templates."
            )
        if accuracy.task == "gsm8k" and self.data.path == SCHOOLMATH:
            raise ValueError(
                "Task gsm8k needs GSM8K's files: set data.path to a folder with train.jsonl and test.jsonl, "
                "or to openai/gsm8k with data.name main."
            )
        return self

    def problem_source(self) -> Source:
        """Where the evaluation's problems come from."""
        return Source(path=SCHOOLMATH) if self.evals.accuracy.task == "schoolmath" else self.data


def load_recipe(name: str, overrides: list[str], run_name: str | None = None) -> Recipe:
    """Read a recipe by the name of a shipped one or by path, and apply `key=value` overrides and a run name."""
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


def shipped_recipes() -> list[str]:
    """Name the recipes that come with stagelift."""
    return sorted(file.name.removesuffix(".yaml") for file in _recipes().iterdir() if file.name.endswith(".yaml"))


def _recipes() -> Any:
    return files("harness") / "recipes"


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as in YAML 1.2 (PyYAML reads it as a string), and a key given twice is an error."""

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
            f"No recipe '{name}': it is neither a file nor one of the shipped recipes ({', '.join(shipped_recipes())})."
        )
    try:
        return path.read_text(encoding="utf-8"), path.name
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not a recipe: it is not text in UTF-8.") from error


def _apply(content: dict[str, Any], override: str) -> None:
    """Set one dotted key. A list is entered by position, or at a stage by its kind (`stages.sft.args.max_steps=5`)."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {override} is not key=value. Write it for example as --set seed=1.")
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {override} has a value that is not valid YAML.") from error
    *parents, last = key.split(".")
    place: Any = content
    for part in parents:
        place = _enter(place, part, key)
    if isinstance(place, list) and last.isdigit() and int(last) < len(place):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UsageError(f"--set {override} leads nowhere: '{last}' is not a key of a mapping or a position in a list.")


def _enter(place: Any, part: str, key: str) -> Any:
    if isinstance(place, list):
        if part.isdigit() and int(part) < len(place):
            return place[int(part)]
        for position, item in enumerate(place):
            if item == part:  # a stage written without settings
                place[position] = item = {part: {}}
            if isinstance(item, dict) and part in item:
                return _enter(item, part, key)
    if isinstance(place, dict):
        if place.get(part) is None:
            place[part] = {}
        return place[part]
    raise UsageError(f"--set {key}=... leads nowhere: there is no '{part}' in the recipe at that place.")


def _stage(stage: Any) -> dict[str, Any]:
    if isinstance(stage, str):
        stage = {stage: {}}
    if not isinstance(stage, dict) or len(stage) != 1:
        raise ValueError(
            "Each stage is one key with its settings, such as: - sft: {args: {max_steps: 10}} "
            "(with --set: stages.sft.args.max_steps=10)."
        )
    ((kind, settings),) = stage.items()
    if kind not in KINDS:
        raise ValueError(f"Unknown stage '{kind}'. Known stages: {', '.join(KINDS)}.")
    if not isinstance(settings, dict | None) or "kind" in (settings or {}):
        raise ValueError(f"Stage '{kind}' needs its settings as keys, such as: {kind}: {{args: {{max_steps: 10}}}}.")
    return {"kind": kind, **(settings or {})}


def _sentence(error: ValidationError, where: str) -> str:
    """Say the first thing that is wrong, with the nearest known key where a key is unknown."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "extra_forbidden":
            known = _known_keys(Recipe, first["loc"][:-1])
            near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            return f"Unknown key '{place}' in {where}: {hint}Known keys there: {', '.join(known)}."
        case "missing":
            return f"Key '{place}' is missing in {where}."
        case "value_error":
            return f"{first['ctx']['error']!s} (in {where})"
        case _:
            return f"Key '{place}' in {where} is {first['input']!r}, which does not fit: {first['msg']}."


def _known_keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    for part in place:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return [name for name in model.model_fields if name != "kind"]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the section a field holds, also inside `list[...]` and `... | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
