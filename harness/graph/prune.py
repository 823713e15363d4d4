"""Nodes that no run refers to, and how they are taken away without ever taking one that is needed.

A node is needed where its name stands in a run.json, where a process works on it, and where a
needed node was made from it. What cannot be read might name anything, so then nothing is taken. A
folder is renamed before it is emptied: killed in between, this leaves no half node, only a folder
that nobody looks for and that the next call removes.
"""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stagelift.evals.files import read_json
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.sections import RESERVED_NAMES

_NODE = re.compile(r"[a-z]+-[0-9a-f]{16}")
_TAKEN = ".pruned-"
_TELLING = ("max_steps", "num_train_epochs", "learning_rate", "beta", "num_generations")


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
    nodes = {path.name: path for path in sorted(store.nodes_folder().glob("*")) if _is_node(path)}
    named = {name for path, run in _runs(store.root) for name in _named(path, run)}
    needed = _with_ancestors(named, nodes)
    busy = [name for name, path in nodes.items() if name not in needed and _is_busy(path)]
    needed |= _with_ancestors(set(busy), nodes)
    left = sorted(store.nodes_folder().glob(f"{_TAKEN}*"))
    return Findings(
        [_described(path) for name, path in nodes.items() if name not in needed]
        + list(map(_described, left)),
        busy,
    )


def prune(store: Store, shown: Sequence[Unneeded]) -> list[Unneeded]:
    """Delete those of the folders that are still not needed, and return them.

    No run can begin to refer to a node meanwhile: it would need the store's lock to say so.
    """
    with store.lock():
        still = {one.folder for one in find_unneeded(store).unneeded}
        going = [one for one in shown if one.folder in still]
        # one, where an earlier pruning left some of the same node
        taken = {_taken_away(one.folder) for one in going}
    for folder in sorted(taken):
        # another pruning beside this one was quicker
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    return going


def _is_node(path: Path) -> bool:
    return _NODE.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def _runs(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Read every run.json. Not by a pattern, which passes over folders that cannot be entered."""
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name in RESERVED_NAMES:
            continue
        path = folder / "run.json"
        try:
            if folder.is_symlink() or path.is_symlink() or path.exists():
                yield path, read_json(path)
        except (OSError, ValueError) as error:
            raise _refusal(str(error)) from error


def _named(path: Path, run: dict[str, Any]) -> set[str]:
    """Return every node whose name stands in a run.json: stages, repeats, and also a checkpoint
    that lies in a node.
    """
    try:
        unclear = [stage["node"] for stage in run["stages"] if not _NODE.search(stage["node"])]
    except (KeyError, TypeError) as error:
        raise _refusal(f"{path} does not say where its stages lie ({error!r}).") from error
    if unclear:
        raise _refusal(f"{path} names '{unclear[0]}', which is no node.")
    return set(_NODE.findall(json.dumps(run)))


def _with_ancestors(names: set[str], nodes: dict[str, Path]) -> set[str]:
    """Add the nodes that those were made from, and so on."""
    found, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [parent] if (parent := _parent(nodes.get(name))) is not None else []
    return found


def _parent(folder: Path | None) -> str | None:
    """Read a node's parent; a node that is not there, or was killed before it was described, names
    none.
    """
    if folder is None or not (folder / "node.json").exists():
        return None
    try:
        parent = read_json(folder / "node.json").get("parent")
    except (OSError, ValueError) as error:
        raise _refusal(str(error)) from error
    return None if parent is None else str(parent)


def _refusal(why: str) -> UsageError:
    return UsageError(
        f"{why} It may refer to any node, so nothing was deleted. Repair that file, or move its "
        "folder away if nothing of it is needed."
    )


def _is_busy(folder: Path) -> bool:
    """Say whether a worker holds a node."""
    if not (folder / ".lock").exists():
        return False
    try:
        with FileLock(folder / ".lock").acquire(timeout=0):
            return False
    except Timeout:
        return True


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
    return Unneeded(
        folder, _what(folder), datetime.fromtimestamp(written), sum(file.st_size for file in files)
    )


def _what(folder: Path) -> str:
    """Say what a node is, in brief: LoRA rank, seed, a few arguments and data of a stage; the name
    or model of others.
    """
    if folder.name.startswith(_TAKEN):
        return "left by a pruning that was interrupted"
    try:
        identity = dict(read_json(folder / "node.json").get("identity") or {})
    except (OSError, ValueError):
        return "no description"
    if "args" not in identity:
        return ", ".join(
            str(identity[name])
            for name in ("stage", "model", "adapter", "dtype")
            if name in identity
        )
    settings = {"r": identity.get("lora", {}).get("r"), "seed": identity.get("seed")}
    settings |= {name: identity["args"][name] for name in _TELLING if name in identity["args"]}
    return ", ".join(
        [*(f"{name}={value}" for name, value in settings.items()), str(identity.get("data"))]
    )
