"""What a recipe may say, section by section.

An unknown key, or settings that contradict each other, are errors.
"""

import re
from collections import Counter
from collections.abc import Sized
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from stagelift.evals.data.bundled_data import INSTRUCTIONS, SCHOOLMATH
from stagelift.evals.data.schoolmath import CAPACITY
from stagelift.evals.data.source import Source
from stagelift.evals.judges.load import JudgeSettings, ReferenceJudge
from stagelift.evals.lm_eval.tasks import TaskSettings
from stagelift.evals.metrics.scorers.known import AnyScorer, read_scorer
from stagelift.evals.models.bundled import NAME as BUNDLED_MODEL
from stagelift.evals.models.chat import PLAIN
from stagelift.evals.models.engines.settings import EngineSettings, TransformersSettings
from stagelift.evals.models.four_bit import Quantization
from stagelift.evals.records import Written
from stagelift.evals.settings import Against, RetentionSettings
from stagelift.harness.recipes.stage_names import stage_names
from stagelift.reports.folders import RESERVED_NAMES
from stagelift.reports.gates.margins import in_tiers, read_margins, read_tiers, refuse_fractions
from stagelift.stages.exports.export import Export
from stagelift.stages.kinds import KINDS, kind_named
from stagelift.stages.lora_settings import numbers_in_strings
from stagelift.stages.precision import DtypeSetting
from stagelift.stages.report_to import REPORTING, named_trackers
from stagelift.stages.settings import StageKind

# peft's LoraConfig
LoraSettings = Annotated[dict[str, Any], AfterValidator(numbers_in_strings)]
# sections that change nothing of a run: how it is checked and reported, what its jobs run on
CHANGE_NOTHING = ("gates", "tiers", "launcher", "ray", "report_to", "trust")
# what a stage may be called that the user names
STAGE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
# what a checkpoint is called where the user does not say
UNNAMED = "checkpoint"
# what pydantic calls stages that train, in the place of a mistake
TRAINING = "StageSection"
# no default would measure what the user trains for
_HOW_TO_MEASURE = (
    "evals.accuracy.limit is missing, so that nothing says what is measured. Paste one of these. "
    "Your own rows of prompt and target: `evals: {accuracy: {task: mine, data: test.jsonl, "
    "scorers: [exact]}}`. The bundled word problems, which are generated, so say how many: "
    "`evals: {accuracy: {task: schoolmath, limit: 256, held_out: 64}}`. GSM8K in data: `evals: "
    "{accuracy: {task: gsm8k}}`."
)
# pairs that a judge is checked with, where the recipe names none
BUNDLED_GOLD = 128


def _no_fraction(seed: Any) -> Any:
    if isinstance(seed, bool | float):
        raise PydanticCustomError("no_seed", "Input should be a whole number, such as 0")
    return seed


# what Python, numpy and torch all take
Seed = Annotated[int, BeforeValidator(_no_fraction), Field(ge=0, le=2**32 - 1)]


def check_run_name(name: str) -> None:
    """Raise ValueError where a run's folder cannot have this name, here or on another system."""
    # Windows and macOS do not tell capital letters from small ones
    if name.casefold() in RESERVED_NAMES:
        raise ValueError(
            f"A run cannot be named '{name}': stagelift keeps what runs share in a folder of that "
            "name."
        )
    check_folder_name("run", name)


# what Windows takes for devices, whatever stands after a dot
_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}


def check_folder_name(what: str, name: str) -> None:
    """Raise ValueError where a folder cannot have this name on every system."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise ValueError(
            f"A {what} cannot be named {name!r}: at most 80 letters, digits and . _ - , the first "
            f"a letter or digit.{_instead(name)}"
        )
    if name.endswith(".") or name.partition(".")[0].casefold() in _DEVICES:
        raise ValueError(
            f"A {what} cannot be named {name!r}: Windows has no folder of that name. Put a letter "
            "after it."
        )


def _instead(name: str) -> str:
    """Return, as a sentence, a name near one that cannot be; "" where there is none."""
    near = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:80]
    return f" Such as: {near}." if near else ""


def _is_none(value: object) -> bool:
    """Say whether a field that came into recipes later is not used; then it is not written."""
    return value is None


def _is_empty(value: Sized) -> bool:
    """The same of a field that holds several."""
    return len(value) == 0


def _listed(value: Any) -> Any:
    """Take one export for a list of one."""
    return [value] if isinstance(value, str | dict) else value


# what a stage's model is deployed as, which is measured beside it
Exports = Annotated[list[Export], BeforeValidator(_listed)]


class ModelSection(Written):
    """The model every stage starts from: a folder, a GGUF file or a Hub name.

    `eos_token` is for base models whose chat turns end in another token. Reports call it `name`, or
    base. With `quantization: 4bit` all weights of the run are held in 4 bits, in training and in
    evaluation.
    """

    path: str = BUNDLED_MODEL
    """A folder, a GGUF file, a name on the Hub, or the embedded model."""
    revision: str | None = None
    """A branch, tag or commit of a name on the Hub; the run pins the commit."""
    dtype: DtypeSetting = "auto"
    """What is computed in; `auto` is what the machine multiplies fastest (precision.md)."""
    eos_token: str | None = None
    """The token that ends a turn, where the tokenizer's own does not."""
    name: str | None = Field(default=None, pattern=STAGE_NAME, exclude_if=_is_none)
    """What reports call the model; `base` if not given."""
    quantization: Quantization | None = Field(default=None, exclude_if=_is_none)
    """`4bit` holds all weights of the run in 4 bits (qlora.md)."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, written: Any) -> Any:
        """Take a folder, a GGUF file or a Hub name alone for a model of that path."""
        return {"path": written} if isinstance(written, str) else written


class LauncherSection(Written):
    """What starts a stage's training as several processes.

    The options are the command's own (`nproc_per_node: 2`).
    """

    torchrun: dict[str, bool | int | str] | None = None
    """Options of torchrun, by their own names."""
    accelerate: dict[str, bool | int | str] | None = None
    """Options of accelerate launch, by their own names."""

    @model_validator(mode="after")
    def _one_launcher(self) -> "LauncherSection":
        if (self.torchrun is None) == (self.accelerate is None):
            raise ValueError(
                "launcher needs torchrun or accelerate, such as: launcher: {torchrun: "
                "{nproc_per_node: 2}}, or launcher: {accelerate: {config_file: cluster.yaml}}."
            )
        return self


class SelectSection(Written):
    """Which of its checkpoints a stage becomes: the best by a metric on `evals.validation`.

    Where no metric is named it is accuracy, or the first score of the user's own. The adapter is
    kept after `every` so many steps, and at the end.
    """

    metric: str | None = None
    """What the best checkpoint has most of; accuracy, or the first score of one's own, if not
    given.
    """
    every: int = Field(ge=1)
    """How many steps lie between two checkpoints."""


class StageSection(Written):
    """One training stage; without a `dataset` it trains on the recipe's `data`.

    `lora` changes settings of the recipe's `lora` for this stage. Where that makes them other than
    those of the adapter that comes in, that one is merged into the weights (in float32) and the
    stage starts one of its own. With `select` it becomes the best of its checkpoints. With
    `stop_when_ill` a sign of illness ends it, with what it has. `export` says what its model is
    deployed as: that is made, and measured beside it.
    """

    kind: StageKind
    """What trains: `sft`, `dpo`, `kto`, `grpo` or `rloo`. It is the key above these."""
    dataset: Source | None = None
    """What the stage trains on; the recipe's `data` if not given."""
    args: dict[str, Any] = {}
    """Arguments of TRL's config of that kind, by their own names."""
    rewards: list[str | dict[str, Any]] = []
    """What GRPO and RLOO pay for: `correctness`, `brevity`, a scorer, or a function by its path
    (rewards.md).
    """
    lora: LoraSettings = {}
    """Settings of peft's LoraConfig that are other than the recipe's."""
    launcher: LauncherSection | None = None
    """What starts the stage as several processes, other than the recipe's."""
    select: SelectSection | None = None
    """Makes the stage the best of its checkpoints (which-checkpoint.md)."""
    stop_when_ill: bool = Field(default=False, exclude_if=lambda stops: not stops)
    """Ends the training at a sign of illness, with what it has (when-training-is-ill.md)."""
    export: Exports = Field(default=[], exclude_if=_is_empty)
    """What the stage's model is deployed as, which is measured beside it (export.md)."""

    @field_validator("rewards")
    @classmethod
    def _rewards_can_be_read(cls, rewards: list[Any]) -> list[Any]:
        for reward in rewards:
            if not isinstance(reward, str):
                read_scorer(reward)
        return rewards

    @model_validator(mode="after")
    def _rewards_fit_the_kind(self) -> "StageSection":
        rewarded = [kind.name for kind in KINDS if kind.rewarded]
        if self.kind in rewarded and not self.rewards:
            raise ValueError(
                f"Stage '{self.kind}' needs rewards, for example: rewards: [correctness, brevity]."
            )
        if self.rewards and self.kind not in rewarded:
            raise ValueError(
                f"Stage '{self.kind}' takes no rewards. Stages that do: {', '.join(rewarded)}."
            )
        return self


class CheckpointSection(Written):
    """A stage that was trained elsewhere: it is measured, and stages go on from it.

    It is a `model` (full weights: a folder or a Hub name), a `gguf` file, or an `adapter` that peft
    wrote, a folder or a Hub name. An adapter lies on the stage that `onto` names (`previous`: the
    one before); where that is not said, on the one that it says it was trained on, else on base.
    `revision` is of a Hub name; `eos_token` is for weights whose chat turns end in another token.

    Or it is the best, by a `metric` on `evals.validation`, of the `checkpoints` in a folder, as
    trainers leave them.
    """

    kind: Literal["checkpoint"] = Field(default="checkpoint", exclude=True)
    """Always `checkpoint`. It is the key above these."""
    model: str | None = Field(default=None, exclude_if=_is_none)
    """Full weights: a folder or a name on the Hub."""
    adapter: str | None = Field(default=None, exclude_if=_is_none)
    """An adapter that peft wrote: a folder or a name on the Hub."""
    gguf: str | None = Field(default=None, exclude_if=_is_none)
    """A GGUF file."""
    checkpoints: str | None = Field(default=None, exclude_if=_is_none)
    """A folder of a trainer's checkpoints, of which the best is taken."""
    metric: str | None = Field(default=None, exclude_if=_is_none)
    """What the best of `checkpoints` has most of, on `evals.validation`."""
    revision: str | None = Field(default=None, exclude_if=_is_none)
    """A branch, tag or commit of a name on the Hub."""
    onto: str | None = Field(default=None, exclude_if=_is_none)
    """The stage that an adapter lies on, by its name; `previous` is the one before."""
    eos_token: str | None = Field(default=None, exclude_if=_is_none)
    """The token that ends a turn, where the tokenizer's own does not."""
    export: Exports = Field(default=[], exclude_if=_is_empty)
    """What the model is deployed as, which is measured beside it (export.md)."""
    name: str = Field(default=UNNAMED, pattern=STAGE_NAME)
    """What reports call the stage."""

    @model_validator(mode="after")
    def _one_source(self) -> "CheckpointSection":
        sources = (self.model, self.adapter, self.gguf, self.checkpoints)
        given = [path for path in sources if path is not None]
        if len(given) != 1:
            raise ValueError(
                f"Checkpoint '{self.name}' needs one of model (full weights), adapter, gguf and "
                f"checkpoints (a folder of them), and names {len(given)} of them, such as: "
                "checkpoint: {name: sft, model: ./out-sft}."
            )
        if self.metric is not None and self.checkpoints is None:
            raise ValueError(
                f"Checkpoint '{self.name}' says metric: {self.metric}, by which one of several "
                "checkpoints is selected, and names none. Leave it out, or name their folder with "
                "`checkpoints`."
            )
        if self.onto is not None and self.weights is not None:
            raise ValueError(
                f"Checkpoint '{self.name}' says onto: {self.onto}, but has weights of its own. "
                "Only an adapter lies on another stage: leave `onto` out."
            )
        if self.adapter is not None and self.eos_token is not None:
            raise ValueError(
                f"Checkpoint '{self.name}' is an adapter, and turns end as they do in the stage "
                "below it. Leave eos_token out, or set model.eos_token."
            )
        return self

    @property
    def weights(self) -> str | None:
        """Where its own full weights are; None for an adapter."""
        return self.model or self.gguf


def _tag(stage: Any) -> str:
    kind = stage.get("kind") if isinstance(stage, dict) else stage.kind
    return "checkpoint" if kind == "checkpoint" else TRAINING


Stage = Annotated[
    Annotated[StageSection, Tag(TRAINING)] | Annotated[CheckpointSection, Tag("checkpoint")],
    Discriminator(_tag),
]


def _refuse_equal_samples(where: str, samples: int, temperature: float) -> None:
    if samples > 1 and temperature == 0:
        raise ValueError(
            f"{where}.samples is {samples}, but at temperature 0 all samples are the same: set "
            f"{where}.temperature, for example to 0.8."
        )


class AccuracySection(Written):
    """Which problems are asked, and how.

    `limit` counts test problems (None: all), `held_out` those of the 32 held-out templates: a
    multiple of 32 asks each equally often. `sampled` responses to each test problem are drawn at
    temperature 1 beside the greedy one.

    Task `mine` asks the rows of `data` (those of the recipe's data, if not given), and `scorers`
    say what a response is worth.
    """

    task: Literal["schoolmath", "gsm8k", "mine"] = "schoolmath"
    """Which problems are asked: the bundled ones, GSM8K's, or rows of one's own."""
    data: Source | None = None
    """With task `mine`: the rows, if they are not the test split of the recipe's `data`."""
    scorers: list[AnyScorer] = []
    """With task `mine`: what a response is worth (own-scores.md)."""
    limit: int | None = Field(default=None, ge=2)
    """How many test problems are asked; all if not given, which the bundled task does not allow."""
    held_out: int = Field(default=0, ge=0)
    """How many problems are asked of templates that no training has seen; of the bundled task
    alone.
    """
    num_fewshot: int = Field(default=0, ge=0)
    """How many worked examples stand before each problem."""
    max_tokens: int = Field(default=256, ge=1)
    """Where a response is cut off."""
    batch_size: int = Field(default=32, ge=1)
    """How many problems are answered at a time."""
    samples: int = Field(default=1, ge=1)
    """How many responses are drawn of each problem; several need a temperature."""
    temperature: float = Field(default=0.0, ge=0)
    """0 takes the most likely token each time."""
    sampled: int = Field(default=0, ge=0)
    """How many more responses are drawn of each test problem at temperature 1, beside the greedy
    one.
    """

    @field_validator("data", mode="before")
    @classmethod
    def _held_out_by_default(cls, source: Any) -> Any:
        """Rows that are named here are for testing, unless they say their split."""
        return for_testing(source)

    @model_validator(mode="after")
    def _scorers_belong_to_rows(self) -> "AccuracySection":
        if self.task != "mine" and (self.scorers or self.data is not None):
            raise ValueError(
                f"evals.accuracy has scorers or data of its own, but task {self.task} has both "
                "already. Write task: mine, or list the rows as a further task: evals.tasks: "
                "[{task: NAME, data: {path: FILE}, scorers: [exact]}]."
            )
        if self.task == "mine" and not self.scorers:
            raise ValueError(
                "evals.accuracy.task mine needs scorers, for example: scorers: [exact]."
            )
        for name in ("held_out", "num_fewshot"):
            if self.task == "mine" and getattr(self, name):
                raise ValueError(
                    f"evals.accuracy.{name} must be 0 for task mine: rows of prompt and target "
                    "have no such part. Write examples into the prompts, as messages."
                )
        return self

    @model_validator(mode="after")
    def _sampled_is_beside_greedy(self) -> "AccuracySection":
        if self.sampled and self.temperature:
            raise ValueError(
                f"evals.accuracy.sampled is {self.sampled}: so many are drawn beside greedy "
                "responses, but there are none, as evals.accuracy.temperature is "
                f"{self.temperature:g}. Leave out temperature, or sampled."
            )
        return self

    @model_validator(mode="after")
    def _samples_differ(self) -> "AccuracySection":
        _refuse_equal_samples("evals.accuracy", self.samples, self.temperature)
        return self


class OwnTaskSection(Written):
    """A further task of the user's own: rows of `prompt` and `target`, and scorers.

    Its metrics are called `TASK:SCORER`.
    """

    task: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")
    """What the task is called; its metrics are `TASK:SCORER`."""
    data: Source
    """Rows of `prompt` and `target`."""
    scorers: list[AnyScorer] = Field(min_length=1)
    """What a response is worth (own-scores.md)."""
    limit: int | None = Field(default=None, ge=2)
    """How many rows are asked; all if not given."""
    max_tokens: int = Field(default=256, ge=1)
    """Where a response is cut off."""
    samples: int = Field(default=1, ge=1)
    """How many responses are drawn of each row; several need a temperature."""
    temperature: float = Field(default=0.0, ge=0)
    """0 takes the most likely token each time."""

    @field_validator("data", mode="before")
    @classmethod
    def _held_out_by_default(cls, source: Any) -> Any:
        return for_testing(source)

    @model_validator(mode="after")
    def _samples_differ(self) -> "OwnTaskSection":
        _refuse_equal_samples(f"evals.tasks, {self.task}", self.samples, self.temperature)
        return self


def _kind_of_task(task: Any) -> str:
    """Say whose task a listed one is: what has rows or scorers of its own is the user's."""
    if isinstance(task, dict):
        return "OwnTaskSection" if {"data", "scorers"} & {*task} else "TaskSettings"
    return type(task).__name__


ListedTask = Annotated[
    Annotated[OwnTaskSection, Tag("OwnTaskSection")] | Annotated[TaskSettings, Tag("TaskSettings")],
    Discriminator(_kind_of_task),
]


class PreferenceSection(Written):
    """Who decides which of two responses is better, on which prompts, and against which models.

    `prompts` are held-out rows of a preference dataset (null: none): a judge that needs no target
    judges responses to them, and pairs in them show whether a stage prefers the better answer.
    `gold` are the gold pairs: one of two responses is known to be better, and a judge is checked
    with them. Without any, the bundled pairs that the judge can read are taken. `votes` are files
    that voting pages exported; they change nothing of what is measured.
    """

    judge: JudgeSettings = ReferenceJudge()
    """Who says which of two responses is better (judges.md)."""
    against: list[Against] = ["base", "previous"]
    """Which models each stage is judged against."""
    prompts: Source | None = Source(path=INSTRUCTIONS, split="test", limit=64)
    """Held-out rows of a preference dataset; null: none."""
    max_tokens: int = Field(default=256, ge=1)
    """Where a response to those is cut off."""
    gold: Source | None = None
    """Pairs of which the better response is known, to check the judge with; bundled ones if not
    given.
    """
    votes: list[str] = []
    """Files that voting pages exported (votes.md)."""

    @field_validator("votes", mode="before")
    @classmethod
    def _one_or_several(cls, votes: Any) -> Any:
        return [votes] if isinstance(votes, str) else votes

    @field_validator("judge", mode="before")
    @classmethod
    def _one_judge(cls, judge: Any) -> Any:
        """Turn `longest`, or `openai: {...}`, into settings that know their kind."""
        return _of_one_kind(judge, "Judge", "openai: {base_url: URL, model: NAME}")

    @field_validator("prompts", "gold", mode="before")
    @classmethod
    def _held_out_by_default(cls, source: Any) -> Any:
        """A preference dataset that is named here is for testing, unless it says its split."""
        return for_testing(source)

    def gold_source(self) -> Source | None:
        """Where gold pairs come from; a file of verdicts can only know the user's own."""
        if self.gold is not None or self.judge.kind == "verdicts":
            return self.gold
        path = SCHOOLMATH if self.judge.kind == "reference" else INSTRUCTIONS
        return Source(path=path, split="test", limit=BUNDLED_GOLD)


class ValidationSection(Written):
    """What checkpoints are selected by, never the test problems: the first `limit` of a split.

    Without a `path` it is a split of the evaluation's own problems. `pairs` are rows of a
    preference dataset, for a selection by preference accuracy.
    """

    path: str | None = None
    """A file, a folder or a name on the Hub; the evaluation's own problems if not given."""
    name: str | None = None
    """The dataset's configuration on the Hub."""
    split: str = "validation"
    """Which split of it."""
    revision: str | None = None
    """A branch, tag or commit of a name on the Hub."""
    columns: dict[str, str] = {}
    """The name that is expected, and the one that the data have."""
    limit: int = Field(default=128, ge=2)
    """How many rows, from the first."""
    pairs: Source | None = None
    """Rows of a preference dataset, to select by preference accuracy."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, written: Any) -> Any:
        """Take a file, a folder or a Hub name alone for validation data of that path."""
        return {"path": written} if isinstance(written, str) else written

    @field_validator("pairs", mode="before")
    @classmethod
    def _for_validation(cls, source: Any) -> Any:
        """Pairs that are named here are for validation, unless they say their split."""
        return _with_defaults(source, split="validation", limit=128)


class EvalsSection(Written):
    """What is measured after every stage, and which engine answers for the model.

    `tasks` are lm-eval's, by name, or with settings, and the user's own, with rows and scorers.
    `validation` is what a stage's checkpoints are selected by, where they are.
    `retention` is the retention suite: `true`, or its sizes.
    """

    engine: EngineSettings = TransformersSettings()
    """What generates text (engines.md)."""
    accuracy: AccuracySection = AccuracySection()
    """Which problems are asked, and how."""
    preference: PreferenceSection = PreferenceSection()
    """Who judges, on which prompts, against which models."""
    tasks: list[ListedTask] = []
    """Further tasks: lm-eval's, by name or with settings, and one's own."""
    validation: ValidationSection = ValidationSection()
    """What a stage's checkpoints are selected by."""
    retention: RetentionSettings | None = None
    """What a stage cost: `true`, or the sizes (what-a-stage-cost.md)."""

    @property
    def lm_eval_tasks(self) -> list[TaskSettings]:
        """The listed tasks that are lm-eval's."""
        return [task for task in self.tasks if isinstance(task, TaskSettings)]

    @property
    def own_tasks(self) -> list[OwnTaskSection]:
        """The listed tasks that are the user's own."""
        return [task for task in self.tasks if isinstance(task, OwnTaskSection)]

    @field_validator("retention", mode="before")
    @classmethod
    def _on_or_off(cls, retention: Any) -> Any:
        """Turn `true` into the usual sizes, and `false` or nothing asked into none."""
        if isinstance(retention, bool):
            return {} if retention else None
        sizes = ("instructions", "choices", "passages")
        if isinstance(retention, dict) and all(retention.get(size) == 0 for size in sizes):
            return None
        return retention

    @field_validator("engine", mode="before")
    @classmethod
    def _one_engine(cls, engine: Any) -> Any:
        """Turn `vllm`, or `server: {...}`, into settings that know their kind."""
        return _of_one_kind(engine, "Engine", "server: {url: URL}")

    @field_validator("tasks", mode="before")
    @classmethod
    def _named(cls, tasks: Any) -> Any:
        if not isinstance(tasks, list):
            raise ValueError(
                "evals.tasks must be a list such as: [ifeval, {task: mmlu, num_fewshot: 5, limit: "
                "20}]."
            )
        return [{"task": task} if isinstance(task, str) else task for task in tasks]

    @model_validator(mode="after")
    def _tasks_once(self) -> "EvalsSection":
        """Two tasks must not have records of one name."""
        names = [_record_name(task.task) for task in self.tasks]
        twice = next((name for name, n in Counter(names).items() if n > 1), None)
        if twice is not None:
            raise ValueError(f"evals.tasks names '{twice}' twice. Name each task once.")
        main = self.accuracy.task
        if any(task.task == main for task in self.own_tasks):
            raise ValueError(
                f"evals.tasks names '{main}', which is the task of evals.accuracy. Choose another "
                "name."
            )
        return self


class RaySection(Written):
    """Where the cluster of `--engine ray` is, and what each node of the graph needs there.

    `artefacts` is an fsspec URL through which machines that share no folder pass on what they made.
    Without one they share a folder.
    """

    address: str = "auto"
    """Where the cluster is, as Ray takes it."""
    num_cpus: float = Field(default=1, ge=0)
    """How many cores a node of the graph needs."""
    num_gpus: float | None = Field(default=None, ge=0)
    """How many GPUs a node of the graph needs; one where the cluster has any, if not given."""
    max_retries: int = Field(default=3, ge=0)
    """How often a task is done again whose machine is lost."""
    artefacts: str | None = None
    """An fsspec URL through which machines without a shared folder pass files on."""


class TrustSection(Written):
    """How far a recipe may reach: with `code` it may name code, servers and places outside the
    working folder. A command's --trust and --no-trust count above it.
    """

    code: bool = False
    """Whether the recipe may name code outside the working folder, servers and other places
    (security.md).
    """


class Recipe(Written):
    """A whole run: one model, a chain of stages, and the evaluation after each.

    With no stages it is an evaluation only.

    `variants`, `lattice` and `seeds` ask for more than one chain.
    """

    name: str
    """What the run is called, and its folder in `runs/`."""
    seed: Seed = 0
    """Of every training, and of every draw."""
    model: ModelSection = ModelSection()
    """The model that every stage starts from."""
    lora: LoraSettings = {"r": 16, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]}
    """Settings of peft's LoraConfig for all stages; a recipe's own replace these whole."""
    data: Source = Source(path=SCHOOLMATH)
    """What stages train on and the evaluation asks, unless they say otherwise."""
    checkpoint: CheckpointSection | None = None
    """A stage that was trained elsewhere and comes first; it can stand in `stages`, too."""
    stages: list[Stage]
    """The chain, in order: each is one key with its settings, such as `- sft: {args: {max_steps:
    200}}`.
    """
    chat_template: str | None = Field(default=None, exclude_if=_is_none)
    """What all are asked and trained with, a file or the text; each model's own if not given."""
    export: Exports = Field(default=[], exclude_if=_is_empty)
    """What the last stage of each chain is deployed as, unless it says so itself (export.md)."""
    evals: EvalsSection = EvalsSection()
    """What is measured after every stage."""
    variants: dict[str, list[Any]] | list[dict[str, Any]] = []
    """Fields that are varied: a grid of dotted keys, or a list of settings (studies.md)."""
    reference: str | None = None
    """The variant that the others are compared with; the recipe as it is, else the first, if not
    given.
    """
    lattice: bool = False
    """Whether every subset of the stages is trained."""
    seeds: list[Seed] = []
    """Each training is done with each of these."""
    launcher: LauncherSection | None = None
    """What starts each stage's training as several processes (clusters.md)."""
    ray: RaySection = RaySection()
    """Where the cluster of `--engine ray` is, and what it is asked for (clusters.md)."""
    report_to: str | list[str] | None = Field(default=None, exclude_if=_is_none)
    """Trackers of every stage that names none in its own args (trackers.md)."""
    trust: TrustSection = Field(default=TrustSection(), exclude_if=lambda trust: not trust.code)
    """How far the recipe may reach (security.md)."""
    gates: dict[str, float | str] = {}
    """Margins for `stagelift check`, by metric; they change nothing of a run (ci.md)."""
    tiers: dict[str, list[str]] = {}
    """What each gate counts for: critical, supporting or advisory (ci.md)."""

    @field_validator("report_to", mode="before")
    @classmethod
    def _trackers_are_known(cls, written: Any) -> Any:
        named_trackers(written)
        return written

    @field_validator("gates")
    @classmethod
    def _gates_can_be_read(cls, gates: dict[str, float | str]) -> dict[str, float | str]:
        refuse_fractions(gates)
        return gates

    @model_validator(mode="after")
    def _tiers_can_be_read(self) -> "Recipe":
        tiers = read_tiers(self.tiers)
        if self.gates:
            in_tiers(read_margins(self.gates), tiers)
        return self

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
        check_run_name(self.name)
        if accuracy.held_out > CAPACITY["held_out"] or (
            accuracy.task == "schoolmath" and (accuracy.limit or 0) > CAPACITY["test"]
        ):
            raise ValueError(
                f"schoolmath has {CAPACITY['test']} test and {CAPACITY['held_out']} held-out "
                "problems, not more."
            )
        if accuracy.task == "schoolmath" and accuracy.limit is None:
            raise ValueError(_HOW_TO_MEASURE)
        if accuracy.task == "gsm8k" and accuracy.held_out:
            raise ValueError(
                "evals.accuracy.held_out must be 0 for task gsm8k: only schoolmath has held-out "
                "templates."
            )
        if accuracy.task == "mine" and self.problem_source().path in (SCHOOLMATH, INSTRUCTIONS):
            raise ValueError(
                "Task mine needs rows of prompt and target: set evals.accuracy.data, for example "
                "to {path: test.jsonl}."
            )
        if accuracy.task == "gsm8k" and self.data.path == SCHOOLMATH:
            raise ValueError(
                "Task gsm8k needs GSM8K's files: set data.path to a folder with train.jsonl and "
                "test.jsonl, or to openai/gsm8k with data.name main."
            )
        return self

    @model_validator(mode="after")
    def _lattice_has_stages(self) -> "Recipe":
        if not self.lattice:
            return self
        if self.variants:
            raise ValueError(
                "A recipe asks for variants or for a lattice, not for both. Run one lattice per "
                "variant."
            )
        if self.checkpoints():
            raise ValueError(
                "A lattice starts from the base model, and trains every subset of its stages. "
                "Leave its checkpoints or lattice out."
            )
        if len(self.stages) < 2:
            raise ValueError(
                f"A lattice needs two stages or more, this recipe lists {len(self.stages)}."
            )
        return self

    @model_validator(mode="after")
    def _names_are_of_one_stage(self) -> "Recipe":
        others = [*stage_names([stage.kind for stage in self.trainings()]), self.base_name()]
        for place, checkpoint in enumerate(self.checkpoints()):
            earlier = [stage.name for stage in self.checkpoints()[:place]]
            numbered = checkpoint.name == UNNAMED and checkpoint.name in earlier
            if checkpoint.name in (*others, *earlier) and not numbered:
                raise ValueError(
                    f"checkpoint.name is '{checkpoint.name}', as another stage is called. Choose "
                    "another."
                )
        return self

    @model_validator(mode="after")
    def _variants_have_a_reference(self) -> "Recipe":
        twice = next((seed for seed, n in Counter(self.seeds).items() if n > 1), None)
        if twice is not None:
            raise ValueError(f"seeds names {twice} twice. Name each seed once.")
        if self.reference is not None and not self.variants:
            raise ValueError(f"reference names '{self.reference}', but there are no variants.")
        return self

    @property
    def template(self) -> str | None:
        """The chat template that all are asked and trained with, or how models without one are.

        That is plain text where every dataset says that it is no chat.
        """
        sources = [stage.dataset or self.data for stage in self.trainings()] or [self.data]
        no_chats = not any(source.chat for source in sources)
        return PLAIN if self.chat_template is None and no_chats else self.chat_template

    def chain(self) -> list[StageSection | CheckpointSection]:
        """All stages after base."""
        first = [] if self.checkpoint is None else [self.checkpoint]
        return [*first, *self.stages]

    def trainings(self) -> list[StageSection]:
        """The stages that train."""
        return [stage for stage in self.stages if isinstance(stage, StageSection)]

    def checkpoints(self) -> list[CheckpointSection]:
        """The stages that were trained elsewhere."""
        return [stage for stage in self.chain() if isinstance(stage, CheckpointSection)]

    def weights(self) -> list[str]:
        """Where all full weights are: those of base, and of checkpoints that are no adapters."""
        given = [stage.weights for stage in self.checkpoints()]
        return [self.model.path, *(path for path in given if path is not None)]

    def base_name(self) -> str:
        """What the model that all starts from is called."""
        return self.model.name or "base"

    def identity(self) -> dict[str, Any]:
        """What makes a run this recipe's: all but how it is checked and reported, and on what it
        runs.

        What came into recipes later is left out where it is not used, so that it refuses no earlier
        run.
        """
        content = self.model_dump(mode="json", exclude=set(CHANGE_NOTHING))
        for stage in content["stages"]:
            stage.pop("launcher", None)
            _drop_unused(stage, "lora", "select")
        _drop_unused(content["evals"]["accuracy"], "sampled", "data", "scorers")
        _drop_unused(content["evals"], "retention")
        del content["evals"]["preference"]["votes"]
        if self.evals.engine == TransformersSettings():
            del content["evals"]["engine"]
        if self.evals.validation == ValidationSection():
            del content["evals"]["validation"]
        _drop_unused(content, "variants", "reference", "lattice", "seeds")
        return without_reporting(content)

    def validation_source(self) -> Source:
        """Where the problems come from that checkpoints are selected by."""
        asked = self.evals.validation
        own = self.problem_source()
        if asked.path is not None:
            own = Source(path=asked.path, name=asked.name, revision=asked.revision)
        columns = own.columns | asked.columns
        return own.model_copy(
            update={"split": asked.split, "columns": columns, "limit": asked.limit}
        )

    def validation_pairs(self) -> Source | None:
        """Where the pairs come from that checkpoints are selected by; None where there are none."""
        pairs = self.evals.validation.pairs
        if pairs is None and self.validation_source().path == SCHOOLMATH:
            # worked answers, and worse ones made of them
            return self.validation_source()
        return pairs

    def problem_source(self) -> Source:
        """Where the evaluation's problems come from."""
        if self.evals.accuracy.task == "schoolmath":
            return Source(path=SCHOOLMATH)
        if self.evals.accuracy.task == "mine":
            # what is trained on may be a part of its split
            test = self.data.model_copy(update={"split": "test", "limit": None})
            return self.evals.accuracy.data or test
        return self.data

    def tested(self) -> Source:
        """Where the problems are that a report is of."""
        if self.evals.accuracy.task == "mine":
            return self.problem_source()
        return self.problem_source().model_copy(update={"split": "test"})

    def own_sources(self) -> list[Source]:
        """Where the rows of the user's own tasks come from, the main one's first."""
        main = [self.problem_source()] if self.evals.accuracy.task == "mine" else []
        return [*main, *(task.data for task in self.evals.own_tasks)]


def without_reporting(recipe: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a run's recipe to which trackers its stages are reported, and how."""
    reported: dict[str, Any] = {
        key: without_reporting_args(recipe[key]) for key in ("stages", "variants") if key in recipe
    }
    return {**recipe, **reported}


def without_reporting_args(written: Any) -> Any:
    """Leave out of stages and variants, with nested keys or dotted ones, the same."""
    match written:
        case list():
            return [without_reporting_args(part) for part in written]
        case dict():
            return {
                key: _without_reporting_below(key, value)
                for key, value in written.items()
                if not is_reporting(str(key))
            }
        case _:
            return written


def is_reporting(key: str) -> bool:
    """Say whether a dotted key is an argument that only says how a stage is reported."""
    *_, above, last = ["", *key.split(".")]
    return above == "args" and last in REPORTING


def _without_reporting_below(key: str, value: Any) -> Any:
    if str(key).split(".")[-1] == "args" and isinstance(value, dict):
        return {name: setting for name, setting in value.items() if name not in REPORTING}
    return without_reporting_args(value)


def for_testing(source: Any) -> Any:
    """Take the test split where a source that is measured with does not say its split."""
    return _with_defaults(source, split="test")


def _with_defaults(source: Any, **defaults: Any) -> Any:
    """Put defaults below what a source says, which may be its path alone."""
    if isinstance(source, str):
        source = {"path": source}
    return {**defaults, **source} if isinstance(source, dict) else source


def _of_one_kind(written: Any, what: str, example: str) -> Any:
    """Turn a kind, or a kind with its settings under it, into settings that know their kind."""
    if isinstance(written, str):
        return {"kind": written}
    if not isinstance(written, dict) or len(written) != 1 or "kind" in written:
        return written
    ((kind, settings),) = written.items()
    if not isinstance(settings, dict | None):
        raise ValueError(f"{what} '{kind}' needs its settings as keys, such as: {example}.")
    return {**(settings or {}), "kind": kind}


def _record_name(task: str) -> str:
    """Return what the records of an lm-eval task are named after: it, or its file's stem."""
    return Path(task).stem if task.endswith(".yaml") else task


def _drop_unused(content: dict[str, Any], *names: str) -> None:
    for name in names:
        if not content.get(name):
            content.pop(name, None)


def _beside_kind(stage: Any) -> str:
    """Say what to do where a stage's settings stand beside its kind, not below it."""
    kind, *beside = stage if isinstance(stage, dict) and stage else [None]
    if not beside or stage[kind] is not None:
        return ""
    return (
        f" Here {', '.join(map(str, beside))[:200]} stands beside {str(kind)[:40]}: indent it by "
        "two more spaces than the name of the stage."
    )


def _stage(stage: Any) -> dict[str, Any]:
    if isinstance(stage, str):
        stage = {stage: {}}
    if not isinstance(stage, dict) or len(stage) != 1:
        raise ValueError(
            "Each stage is one key with its settings, such as: - sft: {args: {max_steps: 10}} "
            f"(with --set: stages.sft.args.max_steps=10).{_beside_kind(stage)}"
        )
    ((kind, settings),) = stage.items()
    if kind != "checkpoint":
        kind_named(kind)
    if not isinstance(settings, dict | None) or "kind" in (settings or {}):
        raise ValueError(
            f"Stage '{kind}' needs its settings as keys, such as: "
            f"{kind}: {{args: {{max_steps: 10}}}}."
        )
    return {"kind": kind, **(settings or {})}
