"""Whole runs in this process, for tests in which the border between processes is not the point.

    python -m tests.in_process RECIPE

makes the run of a recipe in the working folder, in one process instead of one per job.
"""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from stagelift.evals.models.model import Device, Dtype
from stagelift.harness.graph.store import Store
from stagelift.harness.outputs import write_outputs
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.run import execute, prepare
from stagelift.harness.workers.executor import JobFailed, OnJobEvent
from stagelift.harness.workers.failures import sentence
from stagelift.harness.workers.jobs import AnyJob, training_folder
from stagelift.harness.workers.worker import do_job
from stagelift.stages import precision
from stagelift.stages.precision import DtypeSetting


class InProcessExecutor:
    """Does jobs one after another, as a worker does its one."""

    jobs = 1

    def precise(self, setting: DtypeSetting) -> tuple[Device, Dtype]:
        return precision.resolved(setting)

    def run(self, job: AnyJob, on_event: OnJobEvent) -> None:
        on_event({"event": "starting", "job": job.job})
        folder = training_folder(job)
        folder.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder.lock_file):
                do_job(job, Events(on_event))
        # whatever ends a job ends a worker, too
        except Exception as error:
            raise JobFailed(f"{job.job.capitalize()} job failed: {sentence(error, job)}") from error

    def stop(self) -> None:
        """What is running goes on to its end: a thread cannot be killed."""

    def close(self) -> None:
        """Nothing is kept between jobs."""


class Events(io.StringIO):
    """The worker's side of the pipe: every line is an event, and arrives at once."""

    def __init__(self, on_event: OnJobEvent) -> None:
        super().__init__()
        self.on_event = on_event

    def write(self, line: str) -> int:
        self.on_event(json.loads(line))
        return len(line)


@contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """Forget the user's modules afterwards: a new process would read them anew."""
    modules, paths, writes_no_bytecode = set(sys.modules), list(sys.path), sys.dont_write_bytecode
    # it would be taken for that of a file changed within the same second
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = paths, writes_no_bytecode
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).parent == Path.cwd():
                del sys.modules[name]


@dataclass(frozen=True)
class Done:
    """A run's folder, and what was reported while it was made: (stage, event)."""

    folder: Path
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def started(self, job: str) -> list[str]:
        """Return the stages for which jobs of a kind were started."""
        wanted = {"event": "starting", "job": job}
        return [stage for stage, event in self.events if event == wanted]


def run_recipe(recipe: Recipe, root: Path) -> Done:
    """Do what is missing of a recipe in a runs folder, and write the reports."""
    store, executor = Store(root), InProcessExecutor()
    done = Done(store.run(recipe.name).path)
    with as_in_a_new_process():
        plan = prepare(recipe, store, executor.precise)
        execute(plan, store, executor, lambda stage, event: done.events.append((stage, event)))
    write_outputs(done.folder)
    return done


if __name__ == "__main__":
    run_recipe(load_recipe(sys.argv[1], []), Path("runs"))
