"""What a worker can be asked to do, as records that travel as JSON."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import ModelRef
from stagelift.evals.records import Record
from stagelift.evals.settings import Evaluation
from stagelift.harness.recipes.sections import LauncherSection
from stagelift.stages.settings import StageSettings

# what a launcher's processes find beside the node they train
EVENTS_FILE, JOB_FILE, WITH_WORKER = "events.jsonl", "job.json", "--with-worker"


class TrainJob(Record):
    """Train one stage on top of `parent` into `folder`, in this process or in those that `launcher`
    starts.
    """

    job: Literal["train"] = "train"
    folder: str
    settings: StageSettings
    parent: ModelRef
    lora: dict[str, Any]
    seed: int
    launcher: LauncherSection | None = None
    versions: dict[str, str]


class EvaluateJob(Evaluation):
    """Evaluate a node's model; the log goes into the node's folder."""

    job: Literal["evaluate"] = "evaluate"
    node_folder: str


class TrainJudgeJob(Record):
    """Train a reward model on top of `base` into `folder`, and measure its agreement with
    `gold`.
    """

    job: Literal["train-judge"] = "train-judge"
    folder: str
    base: ModelRef
    source: Source
    gold: Source
    args: dict[str, Any]
    seed: int
    versions: dict[str, str]


AnyJob = TrainJob | EvaluateJob | TrainJudgeJob


Job = Annotated[AnyJob, Field(discriminator="job")]


def log_folder(job: AnyJob) -> Path:
    """Return where a job's log lies: the node's folder, or what the judge is trained into."""
    return Path(job.node_folder if isinstance(job, EvaluateJob) else job.folder)
