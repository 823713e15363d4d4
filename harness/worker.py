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
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from filelock import FileLock
from pydantic import Field, TypeAdapter

from evals.model import ModelRef
from evals.records import Record
from evals.source import Source
from stages.settings import StageSettings


class TrainJob(Record):
    """Train one stage on top of `parent` into `folder`."""

    job: Literal["train"] = "train"
    folder: str
    settings: StageSettings
    parent: ModelRef
    lora: dict[str, Any]
    seed: int
    versions: dict[str, str]


class EvaluateJob(Record):
    """Evaluate `model` under `contract` into `folder`; `references` are the evaluation folders to judge against."""

    job: Literal["evaluate"] = "evaluate"
    folder: str
    node_folder: str
    model: ModelRef
    source: Source
    contract_id: str
    contract: dict[str, Any]
    references: dict[Literal["base", "previous"], str]
    versions: dict[str, str]


Job = Annotated[TrainJob | EvaluateJob, Field(discriminator="job")]


def main() -> None:
    """Read a job, do it, and say how it went."""
    job: TrainJob | EvaluateJob = TypeAdapter(Job).validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_the_conductor, daemon=True).start()
    folder = Path(job.node_folder if isinstance(job, EvaluateJob) else job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    events = _events_apart_from_prints(folder / f"{job.job}.log")
    try:
        with FileLock(folder / ".lock"):  # another run may be making the same node: wait, then find it done
            _do(job, events)
    except Exception as error:  # reported to the user by the conductor, with the log's path
        traceback.print_exc()
        _emit(events, event="failed", error=f"{type(error).__name__}: {' '.join(str(error).split())}")
        sys.exit(1)
    _emit(events, event="done")


def _do(job: TrainJob | EvaluateJob, events: TextIO) -> None:
    if isinstance(job, TrainJob):
        if not Path(job.folder, "stage.json").exists():
            _train(job, events)
        from stages.fit import checkpoints_folder

        shutil.rmtree(checkpoints_folder(Path(job.folder)), ignore_errors=True)
    elif not Path(job.folder, "result.json").exists():
        _evaluate(job, events)


def _train(job: TrainJob, events: TextIO) -> None:
    from evals.files import write_text
    from stages.train import train

    def on_step(step: int, steps: int, logs: dict[str, float]) -> None:
        shown = {name: logs[name] for name in ("loss", "reward") if name in logs}
        _emit(events, event="training", step=step, steps=steps, **shown)

    folder = Path(job.folder)
    result = train(job.settings, job.parent, job.lora, job.seed, folder, job.versions, on_step)
    write_text(folder / "stage.json", result.model_dump_json(indent=2) + "\n")


def _evaluate(job: EvaluateJob, events: TextIO) -> None:
    from evals.evaluate import evaluate

    evaluate(
        job.model,
        job.source,
        job.contract,
        job.contract_id,
        {against: Path(folder) for against, folder in job.references.items()},
        Path(job.folder),
        job.versions,
        lambda done, total: _emit(events, event="evaluating", done=done, total=total),
    )


def _events_apart_from_prints(log: Path) -> TextIO:
    """Keep the real standard output for events and send whatever is printed, by Python or C, to the log."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    return events


def _emit(events: TextIO, **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


def _end_with_the_conductor() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
