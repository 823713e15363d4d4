"""Where the nodes of a plan lie, and who may write them: one process at a time.

Locks are of files, which the system frees when a process ends, however it does.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stagelift.evals.contract import first_difference, in_words
from stagelift.evals.folders import EvaluationFolder
from stagelift.harness.errors import UsageError, as_usage_errors
from stagelift.harness.graph.earlier import earlier_nodes
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.locks import Held, held, on_standard_error
from stagelift.harness.recipes.relative import with_same_files
from stagelift.harness.recipes.sections import without_reporting
from stagelift.reports.folders import RunFolder, RunsFolder
from stagelift.stages.folders import NodeFolder, NodeRecord

# bytes of the longest path below a runs folder
_BELOW = 300


@dataclass(frozen=True)
class Store(RunsFolder):
    """A folder of content-addressed nodes and of runs that refer to them."""

    def node_folder(self, node: Node) -> NodeFolder:
        """Return the folder of a node: its record, adapter, checkpoints and evaluations.

        Where it was trained under earlier names too, the one that was asked for with the same
        arguments counts first, so that a stored run finds its own nodes.
        """
        earlier = self._earlier.get(node.id, [])
        as_asked = [record.id for record in earlier if self._is_as_asked(record, node)]
        names = [*as_asked, node.id, *(record.id for record in earlier)]
        folders = [self.node(name) for name in names]
        return next((folder for folder in folders if folder.is_trained()), self.node(node.id))

    @cached_property
    def _earlier(self) -> dict[str, list[NodeRecord]]:
        return earlier_nodes(self)

    def _is_as_asked(self, record: NodeRecord, node: Node) -> bool:
        """Say whether a node has the very arguments of another, and was made from the same."""
        if node.settings is None or node.parent is None:
            return False
        parent = self.node_folder(node.parent).name
        return (record.identity["args"], record.parent) == (node.settings.args, parent)

    def evaluation_folder(self, node: Node, plan: Plan, repeat: int = 0) -> EvaluationFolder:
        """Return where a node is evaluated under the plan's contract, or a repetition of it."""
        return self.node_folder(node).evaluation(plan.contract_id, repeat)

    def lock(self) -> AbstractContextManager[None]:
        """Return the lock under which runs say which nodes they need, and nodes are taken away.

        Whoever holds it can look at what is there and know that it stays. It is held for moments
        only.
        """
        return held(self.lock_file, on_standard_error)

    def is_trained(self, node: Node) -> bool:
        """Say whether a node has nothing left to train, to select or to export; base never had."""
        folder = self.node_folder(node)
        if node.selects is not None and not folder.is_selected():
            return False
        if node.exported is not None:
            return folder.is_exported()
        return node.settings is None or folder.is_trained()

    def is_evaluated(self, node: Node, plan: Plan, repeat: int = 0) -> bool:
        """Say whether a node's evaluation under this contract is complete."""
        return self.evaluation_folder(node, plan, repeat).is_complete()

    def missing_work(self, plan: Plan) -> bool:
        """Say whether anything of a plan is still to be trained or evaluated."""
        done = [self.is_trained(node) and self.is_evaluated(node, plan) for node in plan.nodes]
        return not all(
            done + [self.is_evaluated(node, plan, repeat) for node, repeat in plan.repeats]
        )


def check_run_folder(folder: RunFolder, recipe: dict[str, object]) -> None:
    """Raise UsageError where a folder cannot take the run of a recipe.

    It holds a run of another recipe, or something that is not a run.
    """
    with as_usage_errors():
        folder.runs.check_is_folder()
    if not folder.is_run():
        _refuse_what_is_no_run(folder)
        return
    try:
        held = without_reporting(folder.read().recipe)
    except ValueError as error:
        raise UsageError(f"{error} Or give this run a name of its own with --name.") from error
    held = with_same_files(held, recipe, folder.runs.root)
    if held != recipe:
        raise UsageError(
            f"Folder {folder.path} holds a run of another recipe: "
            f"{_first_difference(held, recipe)}. Give this run a name of its own with --name."
        )


def check_takes_files(root: Path) -> None:
    """Raise UsageError where nothing can be written below a folder: it is found out here, and not
    in the middle of a training.
    """
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        raise UsageError(
            f"Nothing can be written in {there}: it is read-only, or this user may not. Give "
            "--runs another folder."
        )
    longest = os.pathconf(there, "PC_PATH_MAX") if sys.platform != "win32" else 0
    if longest and len(os.fsencode(root.absolute())) + _BELOW > longest:
        raise UsageError(
            f"{root!s:.120}... is too long for a runs folder: files {_BELOW} bytes below it "
            f"would pass the {longest} bytes that a path has here. Give --runs a shorter one."
        )


def is_finished(folder: RunFolder) -> bool:
    """Say whether a run folder holds a run that went to its end."""
    return folder.is_run() and not folder.damages() and folder.read().finished


@contextmanager
def lock_run(folder: RunFolder) -> Iterator[None]:
    """Lock a run folder for this process. Raises UsageError where another run is writing it."""
    try:
        with held(folder.lock_file):
            yield
    except Held as error:
        raise UsageError(
            f"Another stagelift process is writing {folder.path}: {error}. Wait for it, or give "
            "this run a name of its own with --name."
        ) from None


def _refuse_what_is_no_run(folder: RunFolder) -> None:
    if not folder.path.is_dir():
        return
    if any(not file.name.startswith(".") for file in folder.path.iterdir()):
        raise UsageError(
            f"Folder {folder.path} exists and is not a run. Choose another name with --name."
        )


def _first_difference(held: object, wanted: object, place: str = "") -> str:
    if isinstance(held, dict) and isinstance(wanted, dict):
        key = first_difference(held, wanted)
        if key is not None:
            return _first_difference(key.mine, key.theirs, f"{place}.{key.field}".lstrip("."))
    if isinstance(held, list) and isinstance(wanted, list) and len(held) == len(wanted):
        for index, (old, new) in enumerate(zip(held, wanted, strict=True)):
            if old != new:
                return _first_difference(old, new, f"{place}.{index}")
    return f"{place} is {in_words(held)} there and {in_words(wanted)} here"
