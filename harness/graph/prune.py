"""Nodes that no run refers to, and how they are taken away without ever taking one that is needed.

A node is needed where its name stands in a run.json, where a process works on it, and where a
needed node was made from it. What cannot be read might name anything, so then nothing is taken. A
folder is renamed before it is emptied: killed in between, this leaves no half node, only a folder
that nobody looks for and that the next call removes.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stagelift.harness.errors import UsageError, as_usage_errors
from stagelift.harness.graph.store import Store
from stagelift.harness.locks import is_held
from stagelift.reports.folders import RunFolder
from stagelift.stages.exports.export import ExportedAs
from stagelift.stages.folders import NodeFolder

_NODE = re.compile(r"[a-z]+-[0-9a-f]{16}")
_TAKEN = ".pruned-"
_REMEDY = "Repair it, or move its folder away."
# what says most of a stage in few words
_TELLING_ARGUMENTS = (
    "max_steps",
    "num_train_epochs",
    "learning_rate",
    "beta",
    "num_generations",
)
_TELLING_OF_OTHERS = ("stage", "model", "adapter", "dtype")


@dataclass(frozen=True)
class Unneeded:
    """A folder that could go: a node, or what a pruning that was killed left of one.

    `size` is in bytes.
    """

    folder: Path
    what: str
    written: datetime
    size: int


@dataclass(frozen=True)
class Findings:
    """What could go, and the nodes that no run names but a process works on."""

    unneeded: list[Unneeded]
    busy: list[str]


def find_unneeded(store: Store) -> Findings:
    """Look at every run and node.

    Raises UsageError where one that may name others cannot be read.
    """
    with as_usage_errors():
        store.check_is_folder()
    nodes = {
        path.name: NodeFolder(path) for path in sorted(store.nodes.glob("*")) if _is_node(path)
    }
    named = {name for run in _runs(store) for name in _named(run)}
    needed = _with_ancestors(named, nodes)
    busy = [name for name, node in nodes.items() if name not in needed and is_held(node.lock_file)]
    needed |= _with_ancestors(set(busy), nodes)
    unneeded = [node.path for name, node in nodes.items() if name not in needed]
    left = sorted(store.nodes.glob(f"{_TAKEN}*"))
    return Findings([_described(folder) for folder in [*unneeded, *left]], busy)


def prune(store: Store, shown: Sequence[Unneeded]) -> list[Unneeded]:
    """Delete those of the folders that are still not needed, and return them.

    No run can begin to refer to a node meanwhile: it would need the store's lock to say so.
    """
    with store.lock():
        still = {unneeded.folder for unneeded in find_unneeded(store).unneeded}
        going = [unneeded for unneeded in shown if unneeded.folder in still]
        # a set, because an earlier pruning may have left some of the same node
        taken = {_taken_away(unneeded.folder) for unneeded in going}
    for folder in sorted(taken):
        # another pruning beside this one was quicker
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    return going


def _is_node(path: Path) -> bool:
    return _NODE.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def _runs(store: Store) -> Iterator[RunFolder]:
    """Yield every run. Not by a pattern, which passes over folders that cannot be entered."""
    for folder in store.beside_nodes():
        try:
            if folder.path.is_symlink() or folder.file.is_symlink() or folder.file.exists():
                yield folder
        except OSError as error:
            raise _refusal(f"{error}. {_REMEDY}") from error


def _named(folder: RunFolder) -> set[str]:
    """Return every node whose name stands in a run.json.

    They are of stages and repeats, and maybe of a checkpoint that lies in a node.
    """
    try:
        run = folder.read()
    except OSError as error:
        raise _refusal(f"{error}. {_REMEDY}") from error
    except ValueError as error:
        raise _refusal(str(error)) from error
    unclear = next((stage.node for stage in run.stages if not _NODE.search(stage.node)), None)
    if unclear is not None:
        raise _refusal(f"{folder.file} names '{unclear}', which is no node. {_REMEDY}")
    return set(_NODE.findall(run.model_dump_json()))


def _with_ancestors(names: set[str], nodes: dict[str, NodeFolder]) -> set[str]:
    """Add the nodes that those were made from, and so on."""
    complete, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name in complete:
            continue
        complete.add(name)
        parent = _parent(nodes.get(name))
        if parent is not None:
            waiting.append(parent)
    return complete


def _parent(node: NodeFolder | None) -> str | None:
    """Read a node's parent.

    A node that is not there, or was killed before it was described, names none.
    """
    if node is None or not node.is_described():
        return None
    try:
        return node.read().parent
    except OSError as error:
        raise _refusal(f"{error}. {_REMEDY}") from error
    except ValueError as error:
        raise _refusal(str(error)) from error


def _refusal(why: str) -> UsageError:
    return UsageError(f"{why} It may refer to any node, so nothing was deleted.")


def _taken_away(folder: Path) -> Path:
    """Rename a folder to a name that no one looks for."""
    if folder.name.startswith(_TAKEN):
        return folder
    taken = folder.with_name(f"{_TAKEN}{folder.name}")
    # the same node, made and pruned before
    if taken.exists():
        shutil.rmtree(taken)
    return folder.rename(taken)


def _described(folder: Path) -> Unneeded:
    files = [path.lstat() for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    written = max((file.st_mtime for file in files), default=folder.lstat().st_mtime)
    size = sum(file.st_size for file in files)
    return Unneeded(folder, _what(folder), datetime.fromtimestamp(written), size)


def _what(folder: Path) -> str:
    """Say what a node is, in brief."""
    if folder.name.startswith(_TAKEN):
        return "left by a pruning that was interrupted"
    try:
        identity = NodeFolder(folder).read().identity
    except (OSError, ValueError):
        return "no description"
    if "args" in identity:
        return _what_stage(identity)
    if "export" in identity:
        return ExportedAs(**identity["export"]).words
    return ", ".join(str(identity[name]) for name in _TELLING_OF_OTHERS if name in identity)


def _what_stage(identity: dict[str, Any]) -> str:
    """Name LoRA rank, seed, a few arguments and the data."""
    args = identity["args"]
    settings = {"r": identity.get("lora", {}).get("r"), "seed": identity.get("seed")}
    settings |= {name: args[name] for name in _TELLING_ARGUMENTS if name in args}
    parts = [f"{name}={value}" for name, value in settings.items()]
    return ", ".join([*parts, str(identity.get("data"))])
