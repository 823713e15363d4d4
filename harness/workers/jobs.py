"""What a worker can be asked to do, as records that travel as JSON."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import ModelRef
from stagelift.evals.records import Record, SmallerBatch
from stagelift.evals.settings import Evaluation
from stagelift.harness.recipes.sections import LauncherSection
from stagelift.stages.exports.export import ExportedAs
from stagelift.stages.folders import JudgeFolder, NodeFolder, TrainingFolder
from stagelift.stages.settings import StageSettings

# what a launcher's processes find in the folder where they meet
EVENTS_FILE, JOB_FILE = "events.jsonl", "job.json"
WITH_WORKER = "--with-worker"


class TrainJob(Record):
    """Train one stage on top of `parent` into `folder`.

    Where there is a `launcher`, the processes that it starts do it. With `keep_every` the adapter
    is kept after every so many steps, for one to be selected. With `stop_when_ill` a sign of
    illness ends it. A `smaller_batch` is what the worker found in the folder: memory ran out
    before.
    """

    job: Literal["train"] = "train"
    folder: str
    settings: StageSettings
    parent: ModelRef
    lora: dict[str, Any]
    seed: int
    launcher: LauncherSection | None = None
    keep_every: int | None = None
    stop_when_ill: bool = False
    smaller_batch: SmallerBatch | None = None
    versions: dict[str, str]


class EvaluateJob(Evaluation):
    """Evaluate a node's model; the log goes into the node's folder."""

    job: Literal["evaluate"] = "evaluate"
    node_folder: str


class ExportJob(Record):
    """Write what a stage's `model` is deployed as into a node's folder; its adapters are all among
    its `merged`.
    """

    job: Literal["export"] = "export"
    folder: str
    model: ModelRef
    exported: ExportedAs
    versions: dict[str, str]


class TrainJudgeJob(Record):
    """Train a reward model on top of `base`, and measure its agreement with `gold` pairs."""

    job: Literal["train-judge"] = "train-judge"
    folder: str
    base: ModelRef
    source: Source
    gold: Source
    args: dict[str, Any]
    seed: int
    versions: dict[str, str]


AnyJob = TrainJob | EvaluateJob | ExportJob | TrainJudgeJob
Job = Annotated[AnyJob, Field(discriminator="job")]


# which field of a job names the model that it starts from
MODEL_FIELDS = {EvaluateJob: "model", TrainJob: "parent", ExportJob: "model", TrainJudgeJob: "base"}


def starting_model(job: AnyJob) -> ModelRef:
    """Return the model that a job evaluates or exports, or trains on top of."""
    model: ModelRef = getattr(job, MODEL_FIELDS[type(job)])
    return model


def training_folder(job: AnyJob) -> TrainingFolder:
    """Return the folder of what a job works on: a node, or a judge that is trained."""
    match job:
        case EvaluateJob():
            return NodeFolder(Path(job.node_folder))
        case TrainJob() | ExportJob():
            return NodeFolder(Path(job.folder))
        case TrainJudgeJob():
            return JudgeFolder(Path(job.folder))


def log_file(job: AnyJob) -> Path:
    """Return where everything goes that libraries print during a job."""
    return training_folder(job).log(job.job)
