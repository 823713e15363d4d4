"""A worker's side of a launcher: start its command, and pass on the events of the processes.

They end with the worker.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from stagelift.evals.files import write_text
from stagelift.evals.trust import VARIABLE, Trust, trust
from stagelift.harness.workers.events import emit
from stagelift.harness.workers.jobs import (
    EVENTS_FILE,
    JOB_FILE,
    WITH_WORKER,
    TrainJob,
    training_folder,
)
from stagelift.harness.workers.killer import Killer
from stagelift.harness.workers.launcher import Launch, read_launcher

# of a file, because the first process may be on another machine
_POLL_SECONDS = 0.2


class LaunchFailed(Exception):
    """A process that a launcher started ended with an error; the message is its own."""


class MemoryRanOut(LaunchFailed, MemoryError):
    """It ended because memory ran out."""


def train_launched(job: TrainJob, events: TextIO) -> None:
    """Train a stage in the processes that its launcher starts, to the end.

    The first of them writes the stage's record. Raises LaunchFailed.
    """
    assert job.launcher is not None
    launch, folder = read_launcher(job.launcher), training_folder(job)
    beside = folder.launch
    write_text(beside / EVENTS_FILE, "")
    write_text(beside / JOB_FILE, job.model_dump_json())
    program = ["-m", "stagelift.harness.launched", str(beside / JOB_FILE), str(launch.processes)]
    if launch.elsewhere:
        emit(
            events,
            event="waiting",
            commands=[_typed([*command, *program]) for command in launch.elsewhere],
        )
    failure = _follow(
        [*launch.command, *program, WITH_WORKER], _threads(launch), beside / EVENTS_FILE, events
    )
    if not folder.is_trained():
        raise failure or LaunchFailed("the launcher ended, but none of its processes left a result")
    shutil.rmtree(beside)


def _follow(command: list[str], threads: str, written: Path, events: TextIO) -> LaunchFailed | None:
    """Start the command and pass on events until it ends; return what failed first.

    Others fail only because they lost that one; of memory it is said by whoever ran out of it.
    """
    failures: list[LaunchFailed] = []
    killer = Killer()
    with subprocess.Popen(
        [sys.executable, "-m", "stagelift.harness.agent", *command],
        # held open by this process alone: it closes when this one ends, however it does
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": threads},
    ) as process:
        for event in _events(process, written):
            if event["event"] != "failed":
                emit(events, **event)
            else:
                failures.append((MemoryRanOut if event["memory"] else LaunchFailed)(event["error"]))
    if process.returncode != 0 and not failures:
        return LaunchFailed(_wordless(process.returncode, killer))
    of_memory = [failure for failure in failures if isinstance(failure, MemoryRanOut)]
    return next(iter([*of_memory, *failures]), None)


def _wordless(code: int, killer: Killer) -> str:
    match killer.has_struck():
        case True:
            why = "the kernel ended a process (SIGKILL), because memory ran out"
        case False:
            why = "somebody ended a process, or one crashed: the log says which"
        case None:
            why = "if nobody ended a process, memory ran out"
    return f"the launcher ended with exit code {code}; {why}"


def _events(process: "subprocess.Popen[bytes]", path: Path) -> Iterator[dict[str, Any]]:
    """Yield what is written to a file until the process has ended and all is read."""
    begun = ""
    with path.open(encoding="utf-8") as file:
        while True:
            ended = process.poll() is not None
            *lines, begun = (begun + file.read()).split("\n")
            yield from (json.loads(line) for line in lines)
            if ended:
                return
            time.sleep(_POLL_SECONDS)


def _threads(launch: Launch) -> str:
    """Share this machine's cores; torchrun would give each process one."""
    return os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // launch.here))


def _typed(command: list[str]) -> str:
    """Write a command as one types it on another machine, where the same folders are."""
    trusted = f"{VARIABLE}={trust().name} " if trust() is Trust.code else ""
    return f"cd {shlex.quote(str(Path.cwd()))} && {trusted}{shlex.join(command)}"
