"""`run.json`: which nodes a run consists of, what it ran on, and every sitting at it."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from evals.files import read_json, write_json, write_text
from evals.model import model_title
from harness.environment import device_title, versions
from harness.plan import Plan
from harness.sections import Recipe
from harness.store import Store


class Session:
    """One sitting at a run. `run.json` lists them all, so the wall clock survives interruptions."""

    def __init__(self, plan: Plan, store: Store, folder: Path) -> None:
        self.path = folder / "run.json"
        self.started = time.monotonic()
        fresh = _new_run_record(plan, store)
        held = read_json(self.path) if self.path.exists() else fresh
        # the same recipe can mean other nodes: a data file, a reward or the machine may have changed since
        same = held["stages"] == fresh["stages"]
        self.idle = same and bool(held["finished"]) and not store.missing_work(plan)
        self.record = held if self.idle else {**fresh, "sessions": held["sessions"]}
        recipe = yaml.safe_dump(_as_written(plan.recipe), sort_keys=False)
        if self.idle:
            _write_new_gates(folder / "recipe.yaml", recipe)
            return
        self.record["sessions"].append({"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": 0.0})
        self.save(finished=False)
        write_text(folder / "recipe.yaml", recipe)

    def save(self, *, finished: bool) -> None:
        """Write down the time spent so far, and whether everything is done."""
        if self.idle:  # nothing was missing: a finished run stays as it is, to the byte
            return
        self.record["finished"] = finished
        self.record["sessions"][-1]["seconds"] = round(time.monotonic() - self.started, 1)
        write_json(self.path, self.record)


def _write_new_gates(path: Path, recipe: str) -> None:
    """Of a finished run's recipe only the gates can have changed, which say how it is checked and not what it is."""
    if not path.exists() or path.read_text(encoding="utf-8") != recipe:
        write_text(path, recipe)


def _new_run_record(plan: Plan, store: Store) -> dict[str, Any]:
    stages = [
        {
            "name": node.name,
            "kind": node.kind,
            "node": store.node_folder(node).relative_to(store.root).as_posix(),
            "evaluation": store.evaluation_folder(node, plan).relative_to(store.root).as_posix(),
        }
        for node in plan.nodes
    ]
    return {
        "name": plan.recipe.name,
        "recipe": plan.recipe.identity(),
        "model": model_title(plan.recipe.model.path),
        "data": plan.recipe.data.path,
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
    judge = content["evals"]["preference"]["judge"]
    kind = judge.pop("kind")
    content["evals"]["preference"]["judge"] = {kind: judge} if judge else kind
    if not content["gates"]:
        del content["gates"]
    return content
