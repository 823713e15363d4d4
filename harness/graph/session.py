"""`run.json`: which nodes a run consists of, what it ran on, and every sitting at it."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stagelift.evals.files import read_json, write_json, write_text
from stagelift.evals.models.model import model_title
from stagelift.harness.environment import device_title, versions
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import as_written
from stagelift.harness.recipes.yaml_text import write_yaml


class Session:
    """One sitting at a run. `run.json` lists them all, so the wall clock survives interruptions."""

    def __init__(self, plan: Plan, store: Store, folder: Path) -> None:
        self.path = folder / "run.json"
        self.started = time.monotonic()
        fresh = _new_run_record(plan, store)
        held = read_json(self.path) if self.path.exists() else fresh
        # the same recipe can mean other nodes: a data file, a reward or the machine may have
        # changed since
        same = held["stages"] == fresh["stages"]
        self.idle = same and bool(held["finished"]) and not store.missing_work(plan)
        self.record = held if self.idle else {**fresh, "sessions": held["sessions"]}
        recipe = write_yaml(as_written(plan.recipe))
        if self.idle:
            _write_new_gates(folder / "recipe.yaml", recipe)
            return
        self.record["sessions"].append(
            {"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": 0.0}
        )
        self.save(finished=False)
        write_text(folder / "recipe.yaml", recipe)

    def save(self, *, finished: bool) -> None:
        """Write down the time spent so far, and whether everything is done."""
        # nothing was missing: a finished run stays as it is, to the byte
        if self.idle:
            return
        self.record["finished"] = finished
        self.record["sessions"][-1]["seconds"] = round(time.monotonic() - self.started, 1)
        write_json(self.path, self.record)


def _write_new_gates(path: Path, recipe: str) -> None:
    """Of a finished run's recipe only the gates can have changed, which say how it is checked and
    not what it is.
    """
    if not path.exists() or path.read_text(encoding="utf-8") != recipe:
        write_text(path, recipe)


def _new_run_record(plan: Plan, store: Store) -> dict[str, Any]:
    return {
        "name": plan.recipe.name,
        "recipe": plan.recipe.identity(),
        "model": model_title(plan.recipe.model.path),
        "data": plan.recipe.data.path,
        "device": device_title(),
        "versions": versions(),
        "stages": [_stage(node, plan, store) for node in plan.nodes],
        **(_study(plan, store) if plan.is_study else {}),
        "sessions": [],
        "finished": False,
    }


def _stage(node: Node, plan: Plan, store: Store) -> dict[str, Any]:
    """Where a stage lies; in a study the stage before it is not always the one listed before it."""
    place = {"node": store.node_folder(node), "evaluation": store.evaluation_folder(node, plan)}
    return {
        "name": node.name,
        "kind": node.kind,
        **{name: folder.relative_to(store.root).as_posix() for name, folder in place.items()},
        **({"merged": [other.name for other in node.merged]} if node.merged else {}),
        **({"parent": None if node.parent is None else node.parent.name} if plan.is_study else {}),
    }


def _study(plan: Plan, store: Store) -> dict[str, Any]:
    repeats = [
        {
            "stage": node.name,
            "evaluation": store.evaluation_folder(node, plan, repeat)
            .relative_to(store.root)
            .as_posix(),
        }
        for node, repeat in plan.repeats
    ]
    chains = [
        {
            "variant": chain.variant,
            "seed": chain.seed,
            "stages": [[slot, node.name] for slot, node in chain.slots],
        }
        for chain in plan.chains
    ]
    return {
        "chains": chains,
        "lattice": plan.recipe.lattice,
        "reference": plan.reference,
        "repeats": repeats,
    }
