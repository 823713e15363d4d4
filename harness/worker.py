"""One job in a process of its own: train a stage or evaluate a model. Started by the conductor, never by hand.

The job comes as one JSON line on standard input, events go out as JSON lines on standard output, and everything
libraries print goes to a log file. Standard input stays open while the conductor lives: when it closes, this process ends
at once, so a killed conductor leaves no orphan that writes.
"""

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from filelock import FileLock
from pydantic import Field, TypeAdapter

from evals.model import ModelRef
from evals.records import Record
from evals.settings import Evaluation
from evals.source import Source
from harness.sections import LauncherSection
from stages.settings import StageSettings


class TrainJob(Record):
    """Train one stage on top of `parent` into `folder`, in this process or in those that `launcher` starts."""

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
    """Train a reward model on top of `base` into `folder`, and measure its agreement with `gold`."""

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


def main() -> None:
    """Read a job, do it, and say how it went."""
    job: AnyJob = TypeAdapter(Job).validate_json(sys.stdin.readline())
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    folder = log_folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    events = _events_apart_from_prints(folder / f"{job.job}.log")
    try:
        with FileLock(folder / ".lock"):  # another run may be making the same node: wait, then find it done
            _do(job, events)
    except Exception as error:  # reported to the user by the conductor, with the log's path
        traceback.print_exc()
        emit(events, event="failed", error=_sentence(error))
        sys.exit(1)
    emit(events, event="done")


def _sentence(error: Exception) -> str:
    from harness.launch import LaunchFailed

    text = " ".join(str(error).split())
    return text if isinstance(error, LaunchFailed) else f"{type(error).__name__}: {text}"


def log_folder(job: AnyJob) -> Path:
    """Return where a job's log lies: the node's folder, or what the judge is trained into."""
    return Path(job.node_folder if isinstance(job, EvaluateJob) else job.folder)


def _do(job: AnyJob, events: TextIO) -> None:
    match job:
        case EvaluateJob():
            if not Path(job.folder, "result.json").exists():
                _evaluate(job, events)
        case TrainJob():
            if not Path(job.folder, "stage.json").exists():
                _train(job, events)
            _drop_checkpoints(Path(job.folder))
        case TrainJudgeJob():
            if not Path(job.folder, "passport.json").exists():
                _train_judge(job, events)
            _drop_checkpoints(Path(job.folder))


def _drop_checkpoints(folder: Path) -> None:
    from stages.fit import checkpoints_folder

    shutil.rmtree(checkpoints_folder(folder), ignore_errors=True)


def _train(job: TrainJob, events: TextIO) -> None:
    if job.launcher is not None:
        from harness.launch import train_launched

        train_launched(job, events)
        return
    from evals.files import write_text
    from stages.train import train

    folder = Path(job.folder)
    result = train(job.settings, job.parent, job.lora, job.seed, folder, job.versions, step_events(events))
    write_text(folder / "stage.json", result.model_dump_json(indent=2) + "\n")


def _train_judge(job: TrainJudgeJob, events: TextIO) -> None:
    """Train, then show the judge pairs whose better answer is known; passport.json comes last."""
    from evals.files import write_text
    from evals.judges.gold import gold_agreement
    from evals.judges.passport import passport
    from evals.judges.reward_model import RewardModelJudge, reward_model_judge
    from evals.preferences import load_preferences
    from stages.reward import train_reward_model

    folder = Path(job.folder)
    if not (folder / "stage.json").exists():
        result = train_reward_model(job.base, job.source, job.args, job.seed, folder, job.versions, step_events(events))
        write_text(folder / "stage.json", result.model_dump_json(indent=2) + "\n")
    emit(events, event="evaluating", what="gold pairs", done=0, total=1)
    judge = reward_model_judge(RewardModelJudge(path=str(folder / "model")), job.base.device)
    gold = gold_agreement(judge, load_preferences(job.gold), f"{job.gold.path}, {job.gold.split}")
    written = passport(judge.id, None, [], gold, None)
    write_text(folder / "passport.json", written.model_dump_json(indent=2) + "\n")


def step_events(events: TextIO) -> Callable[[int, int, dict[str, float]], None]:
    """Return what a training calls after each logged step."""

    def on_step(step: int, steps: int, logs: dict[str, float]) -> None:
        shown = {name: logs[name] for name in ("loss", "reward", "accuracy") if name in logs}
        emit(events, event="training", step=step, steps=steps, **shown)

    return on_step


def _evaluate(job: EvaluateJob, events: TextIO) -> None:
    from evals.evaluate import evaluate

    evaluate(job, lambda what, done, total: emit(events, event="evaluating", what=what, done=done, total=total))


def _events_apart_from_prints(log: Path) -> TextIO:
    """Keep the real standard output for events and send whatever is printed, by Python or C, to the log."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    return events


def emit(events: TextIO, **event: Any) -> None:
    """Write an event as one line."""
    events.write(json.dumps(event) + "\n")
    events.flush()


def end_with_standard_input() -> None:
    """Wait until the process that started this one is gone, and end at once."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
