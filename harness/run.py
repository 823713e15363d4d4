"""Run a recipe: one worker process per missing training and evaluation, in the order of the chain."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from evals.files import read_json, write_json, write_text
from evals.model import ModelRef, model_folder, model_title
from harness import preflight
from harness.environment import device_title, versions
from harness.plan import Node, Plan, make_plan
from harness.recipe import Recipe
from harness.store import Store, check_run_folder, is_finished, lock_run
from harness.worker import EvaluateJob, TrainJob

OnEvent = Callable[[str, dict[str, Any]], None]  # the stage's name, what happened


class JobFailed(Exception):
    """A worker ended with an error; the message says which, and where its log is."""


def prepare(recipe: Recipe, store: Store) -> Plan:
    """Check everything that can be checked and return the plan. Writes nothing; raises UsageError."""
    folder = store.run_folder(recipe.name)
    check_run_folder(folder, recipe.model_dump(mode="json"))
    finished = is_finished(folder)  # then it was checked when it ran, and all it needs is stored
    if not finished:
        _check(recipe)
    plan = make_plan(recipe)
    if store.missing_work(plan):
        if finished:
            _check(recipe)
        preflight.check_adapter(plan)
    return plan


def _check(recipe: Recipe) -> None:
    preflight.check_arguments(recipe)
    preflight.check_sources(recipe)


def check_offline(recipe: Recipe) -> list[str]:
    """Check a recipe without insisting on the Hub; return what could not be checked. Raises UsageError for the rest."""
    preflight.check_arguments(recipe)
    return preflight.unreachable_sources(recipe)


def execute(plan: Plan, store: Store, on_event: OnEvent) -> Path:
    """Do what is missing and return the run's folder. Killed or interrupted, the next call goes on from there."""
    folder = store.run_folder(plan.recipe.name)
    with lock_run(folder):
        check_run_folder(folder, plan.recipe.model_dump(mode="json"))  # it may have changed since `prepare`
        session = _Session(plan, store, folder)
        finished = False
        try:
            for node in plan.nodes:
                _complete(node, plan, store, partial(on_event, node.name))
                session.save(finished=False)
            finished = True
        finally:  # after Ctrl-C too: the time spent so far counts
            session.save(finished=finished)
    return folder


def _complete(node: Node, plan: Plan, store: Store, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Train and evaluate one node, as far as that is missing."""
    _describe(node, store)
    if not store.is_trained(node):
        _work(_train_job(node, plan, store), on_event)
    if not store.is_evaluated(node, plan):
        _work(_evaluate_job(node, plan, store), on_event)
    result = read_json(store.evaluation_folder(node, plan) / "result.json")
    on_event({"event": "finished", "metrics": result["metrics"]})


class _Session:
    """One sitting at a run. `run.json` lists them all, so the wall clock survives interruptions."""

    def __init__(self, plan: Plan, store: Store, folder: Path) -> None:
        self.path = folder / "run.json"
        self.started = time.monotonic()
        fresh = _new_run_record(plan, store)
        held = read_json(self.path) if self.path.exists() else fresh
        # the same recipe can mean other nodes: a data file, a reward or the machine may have changed since
        same = held["stages"] == fresh["stages"]
        self.record = held if same else {**fresh, "sessions": held["sessions"]}
        self.idle = same and bool(held["finished"]) and not store.missing_work(plan)
        if self.idle:
            return
        self.record["sessions"].append({"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": 0.0})
        self.save(finished=False)
        write_text(folder / "recipe.yaml", yaml.safe_dump(_as_written(plan.recipe), sort_keys=False))

    def save(self, *, finished: bool) -> None:
        if self.idle:  # nothing was missing: a finished run stays as it is, to the byte
            return
        self.record["finished"] = finished
        self.record["sessions"][-1]["seconds"] = round(time.monotonic() - self.started, 1)
        write_json(self.path, self.record)


def _new_run_record(plan: Plan, store: Store) -> dict[str, Any]:
    stages = [
        {
            "name": node.name,
            "kind": node.kind,
            "node": os.path.relpath(store.node_folder(node), store.root),
            "evaluation": os.path.relpath(store.evaluation_folder(node, plan), store.root),
        }
        for node in plan.nodes
    ]
    return {
        "name": plan.recipe.name,
        "recipe": plan.recipe.model_dump(mode="json"),
        "model": model_title(plan.recipe.model.path),
        "device": device_title(),
        "versions": versions(),
        "stages": stages,
        "sessions": [],
        "finished": False,
    }


def _as_written(recipe: Recipe) -> dict[str, Any]:
    """Write a recipe back in the form a user writes, so that recipe.yaml can be run again."""
    content = recipe.model_dump(mode="json")
    content["stages"] = [{stage.pop("kind"): stage} for stage in content["stages"]]
    return content


def _describe(node: Node, store: Store) -> None:
    """Write what a node is beside what it becomes."""
    path = store.node_folder(node) / "node.json"
    if not path.exists():
        parent = node.parent.id if node.parent else None
        write_json(path, {"id": node.id, "kind": node.kind, "parent": parent, "identity": node.identity})


def _train_job(node: Node, plan: Plan, store: Store) -> TrainJob:
    assert node.settings is not None and node.parent is not None
    return TrainJob(
        folder=str(store.node_folder(node)),
        settings=node.settings,
        parent=_model(node.parent, plan, store),
        lora=plan.recipe.lora,
        seed=plan.recipe.seed,
        versions=versions(),
    )


def _evaluate_job(node: Node, plan: Plan, store: Store) -> EvaluateJob:
    others = {"base": plan.nodes[0], "previous": node.parent or plan.nodes[0]}
    against = plan.recipe.evals.preference.against if node.parent is not None else []
    return EvaluateJob(
        folder=str(store.evaluation_folder(node, plan)),
        node_folder=str(store.node_folder(node)),
        model=_model(node, plan, store),
        source=plan.problems,
        contract_id=plan.contract_id,
        contract=plan.contract,
        references={name: str(store.evaluation_folder(others[name], plan)) for name in against},
        versions=versions(),
    )


def _model(node: Node, plan: Plan, store: Store) -> ModelRef:
    """Name a node's model; the bundled base is resolved here, so that workers find it whatever their cache."""
    adapter = None if node.settings is None else str(store.node_folder(node) / "adapter")
    return plan.model.model_copy(update={"path": model_folder(plan.model.path), "adapter": adapter})


def _work(job: TrainJob | EvaluateJob, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Run one worker to its end, passing on its events. Ends it with us, also when interrupted."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.worker"],  # -P: nothing in the working folder shadows a package
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_worker_environment(),
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    assert process.stdin is not None and process.stdout is not None
    failure = None
    on_event({"event": "starting", "job": job.job})
    try:
        with suppress(BrokenPipeError):  # it died at once: the exit code says so below
            process.stdin.write(job.model_dump_json() + "\n")
            process.stdin.flush()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                failure = event["error"]
            if event["event"] != "done":
                on_event(event)
        process.wait()  # before its standard input closes, which would end it
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
    if process.returncode != 0:
        raise JobFailed(_failure_message(job, failure, process.returncode))


def _worker_environment() -> dict[str, str]:
    """Ours, with the packages this process runs (installed or not) and one GPU: with two, Trainer would double the batch."""
    packages = str(Path(__file__).resolve().parent.parent)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in (packages, os.environ.get("PYTHONPATH", "")) if part),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0],
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",
    }


def _failure_message(job: TrainJob | EvaluateJob, failure: str | None, returncode: int) -> str:
    log = Path(job.node_folder if isinstance(job, EvaluateJob) else job.folder, f"{job.job}.log")
    reason = failure or (
        f"the worker was ended by signal {-returncode}; if nobody sent it, memory ran out"
        if returncode < 0
        else f"the worker ended with exit code {returncode}"
    )
    return f"{job.job.capitalize()} job failed: {reason} (log: {log})"
