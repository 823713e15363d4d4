"""Where nodes and runs lie on disk, and who may write them: one process at a time, by file locks
the system frees.
"""

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from stagelift.evals.contract import first_difference
from stagelift.evals.files import read_json
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node, Plan


@dataclass(frozen=True)
class Store:
    """A folder of content-addressed nodes and of runs that refer to them."""

    root: Path

    def nodes_folder(self) -> Path:
        """Return the folder that holds all nodes."""
        return self.root / "nodes"

    def node_folder(self, node: Node) -> Path:
        """Return the folder of a node: its record, adapter, checkpoints and evaluations."""
        return self.nodes_folder() / node.id

    def evaluation_folder(self, node: Node, plan: Plan, repeat: int = 0) -> Path:
        """Return the folder of a node's evaluation under the plan's contract, or of a repetition of
        it.
        """
        return (
            self.node_folder(node)
            / "evals"
            / (f"{plan.contract_id}-repeat-{repeat}" if repeat else plan.contract_id)
        )

    def run_folder(self, name: str) -> Path:
        """Return the folder of a run: recipe, run.json and reports."""
        return self.root / name

    def judges_folder(self) -> Path:
        """Return the folder of what is known of judges: a server's answers and agreement with gold
        pairs.
        """
        return self.root / "judges"

    def lock(self) -> FileLock:
        """Return the lock under which a run says which nodes it refers to, and under which nodes
        are taken away.

        Whoever holds it can look at what is there and know that it stays. It is held for moments
        only.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / ".lock")

    def is_trained(self, node: Node) -> bool:
        """Say whether a node has nothing left to train; base never had."""
        return node.settings is None or (self.node_folder(node) / "stage.json").exists()

    def is_evaluated(self, node: Node, plan: Plan, repeat: int = 0) -> bool:
        """Say whether a node's evaluation under this contract is complete."""
        return (self.evaluation_folder(node, plan, repeat) / "result.json").exists()

    def missing_work(self, plan: Plan) -> bool:
        """Say whether anything of a plan is still to be trained or evaluated."""
        done = [self.is_trained(node) and self.is_evaluated(node, plan) for node in plan.nodes]
        return not all(
            done + [self.is_evaluated(node, plan, repeat) for node, repeat in plan.repeats]
        )


def check_run_folder(folder: Path, recipe: dict[str, object]) -> None:
    """Raise UsageError where `folder` cannot be one, holds a run of another recipe, or something
    that is not a run.
    """
    if folder.parent.exists() and not folder.parent.is_dir():
        raise UsageError(
            f"{folder.parent} is a file, so runs cannot lie in it. Give --runs a folder."
        )
    if (
        folder.is_dir()
        and not (folder / "run.json").exists()
        and any(not file.name.startswith(".") for file in folder.iterdir())
    ):
        raise UsageError(
            f"Folder {folder} exists and is not a run. Choose another name with --name."
        )
    if not (folder / "run.json").exists():
        return
    held = _recipe_of(folder)
    if held != recipe:
        raise UsageError(
            f"Folder {folder} holds a run of another recipe: {_first_difference(held, recipe)}. "
            "Give this run a name of its own with --name."
        )


def is_finished(folder: Path) -> bool:
    """Say whether a run folder holds a run that went to its end."""
    return (folder / "run.json").exists() and bool(read_json(folder / "run.json").get("finished"))


def lock_run(folder: Path) -> FileLock:
    """Lock a run folder for this process. Raises UsageError where another run is writing it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"Another stagelift process is writing {folder}. Wait for it, or give this run a name "
            "of its own with --name."
        ) from None
    return lock


def _recipe_of(folder: Path) -> object:
    try:
        return read_json(folder / "run.json").get("recipe")
    except ValueError as error:
        raise UsageError(
            f"{error} Move the folder away, or give this run a name of its own with --name."
        ) from error


def _first_difference(held: object, wanted: object, place: str = "") -> str:
    if isinstance(held, dict) and isinstance(wanted, dict):
        key = first_difference(held, wanted)
        if key is not None:
            return _first_difference(key.mine, key.theirs, f"{place}.{key.field}".lstrip("."))
    if isinstance(held, list) and isinstance(wanted, list) and len(held) == len(wanted):
        for index, (old, new) in enumerate(zip(held, wanted, strict=True)):
            if old != new:
                return _first_difference(old, new, f"{place}.{index}")
    return f"{place} is {held!r} there and {wanted!r} here"
