"""A run's trackers: which stage is reported to which, and the process that writes to them.

Training is the same with and without: what trackers show is read off the disk beside it.
"""

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from pydantic import JsonValue

from stagelift.evals.credentials import words_without_credentials
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.harness.trackers.tracker import TrackedStage
from stagelift.harness.trackers.writing import TrackingJob
from stagelift.harness.workers.packages import python_path
from stagelift.reports.folders import RunFolder
from stagelift.stages.report_to import read_report_to

# what a process of trackers may take when everything else is done
_PATIENCE_SECONDS = 60
# and after Ctrl-C
_HURRY_SECONDS = 5
# characters of what a library says
_LONGEST_REASON = 300
# what of a node's identity is a setting, as a reader of curves looks for it
_SETTINGS = ("lora", "args", "seed", "data", "rewards", "model", "dtype")
# unless the user says otherwise: no telemetry, and no minutes of waiting for a server that is gone
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "WANDB_ERROR_REPORTING": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
# whom it is about, what happened
OnEvent = Callable[[str, dict[str, Any]], None]


@contextmanager
def following(plan: Plan, store: Store, on_event: OnEvent) -> Iterator[None]:
    """Write the stages of a plan to their trackers while the run is made, and to its end.

    A tracker that fails is a `note` among the events, once. Where no stage is reported to any,
    nothing is started.
    """
    folder = store.run(plan.recipe.name)
    stages = tracked_stages(plan, store)
    if not stages:
        yield
        return
    process = _started()
    assert process.stdin is not None and process.stdout is not None
    listener = threading.Thread(target=_listen, args=(process.stdout, on_event), daemon=True)
    listener.start()
    try:
        with _to_the_end(process, folder, on_event):
            job = TrackingJob(run_folder=str(folder.path), stages=tuple(stages))
            with suppress(BrokenPipeError):
                process.stdin.write(job.model_dump_json() + "\n")
                process.stdin.flush()
            yield
    finally:
        listener.join()


@contextmanager
def _to_the_end(
    process: "subprocess.Popen[str]", folder: RunFolder, on_event: OnEvent
) -> Iterator[None]:
    """Let the process write what is left in the end, with little time after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        text = f"Trackers have {_HURRY_SECONDS} s for what is left."
        on_event("", {"event": "note", "text": text})
        _end(process, folder, on_event, _HURRY_SECONDS)
        raise
    except BaseException:
        _end(process, folder, on_event, _PATIENCE_SECONDS)
        raise
    _end(process, folder, on_event, _PATIENCE_SECONDS)


def tracked_stages(plan: Plan, store: Store) -> list[TrackedStage]:
    """Return the stages that are reported to a tracker."""
    stages = [_tracked(node, plan, store) for node in plan.nodes]
    return [stage for stage in stages if stage.trackers]


def _tracked(node: Node, plan: Plan, store: Store) -> TrackedStage:
    args = {} if node.settings is None else node.settings.args
    run = plan.recipe.name
    return TrackedStage(
        run=run,
        run_folder=str(store.run(run).path.absolute()),
        stage=node.name,
        name=str(args.get("run_name") or f"{run}/{node.name}"),
        project=str(args.get("project") or run),
        node=str(store.node_folder(node).path.absolute()),
        evaluation=str(store.evaluation_folder(node, plan).path.absolute()),
        trackers=_trackers(node, plan),
        settings=_flat({"kind": node.kind, "node": node.id, **_settings(node)}),
    )


def _trackers(node: Node, plan: Plan) -> tuple[str, ...]:
    """Name a stage's trackers: its own, else the recipe's. What trains nothing, and the recipe
    says nothing of, is reported to those of any stage.
    """
    given = plan.recipe.report_to
    if node.settings is not None:
        return read_report_to(node.settings.args.get("report_to", given))
    if given is not None:
        return read_report_to(given)
    trained = [other.settings.args for other in plan.nodes if other.settings is not None]
    named = [name for args in trained for name in read_report_to(args.get("report_to"))]
    return tuple(dict.fromkeys(named))


def _settings(node: Node) -> dict[str, Any]:
    return {name: node.identity[name] for name in _SETTINGS if name in node.identity}


def _flat(settings: dict[str, Any], above: str = "") -> dict[str, JsonValue]:
    """Write nested settings by dotted keys, as a recipe is overridden."""
    flat: dict[str, JsonValue] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = value
    return flat


def _started() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        # -P: what W&B leaves in `./wandb` is no package
        [sys.executable, "-P", "-m", "stagelift.harness.trackers.writing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**_QUIET, **os.environ, "PYTHONPATH": python_path()},
        # Ctrl-C ends the run, and then this is told by its standard input
        start_new_session=True,
    )


def _listen(events: IO[str], on_event: OnEvent) -> None:
    for line in events:
        failed = json.loads(line)
        why = short_reason(failed["error"])
        on_event("", _note(f"{failed['tracker']} failed, and gets nothing more: {why}"))


def short_reason(error: str) -> str:
    """Return what a library says in one line, not too long, and without the last full stop."""
    words = words_without_credentials(error)
    return textwrap.shorten(words, _LONGEST_REASON, placeholder=" ...").rstrip(" .") or "no reason"


def _end(
    process: "subprocess.Popen[str]", folder: RunFolder, on_event: OnEvent, seconds: int
) -> None:
    """Let the process write what is left."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        on_event("", _note(f"trackers did not take everything within {seconds} s"))
        return
    except KeyboardInterrupt:
        process.kill()
        raise
    if code != 0:
        log = folder.trackers_log
        on_event("", _note(f"what writes to trackers ended with exit code {code} (log: {log})"))


def _note(what: str) -> dict[str, Any]:
    return {
        "event": "note",
        "text": f"{what}. The run is not affected; the same command again writes what is missing.",
    }
