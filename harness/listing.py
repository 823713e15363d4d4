"""The runs in a folder as a list shows them, also those that cannot be read."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stagelift.harness.errors import as_usage_errors
from stagelift.reports.folders import RunFolder, RunsFolder
from stagelift.reports.records import NothingEvaluatedError, RunRecord, read_run

_NODE = re.compile(r"nodes/([a-z]+-[0-9a-f]{16})")
# bytes of a run.json in which names of nodes are looked for
_LARGEST = 10_000_000


@dataclass(frozen=True)
class ListedRun:
    """A run: its record, or what is the matter with it, in two words and with `details`.

    `own_bytes` lie in its folder and in nodes that no other run names, `shared_bytes` in nodes that
    others name, too.
    """

    name: str
    record: RunRecord | None
    problem: str
    details: str
    worked_on: str
    own_bytes: int
    shared_bytes: int


def listed_runs(root: Path) -> list[ListedRun]:
    """List what is, or was, a run in a folder. Raises UsageError where that is no folder."""
    runs = RunsFolder(root)
    with as_usage_errors():
        runs.check_is_folder()
    named = {folder: _named_nodes(folder) for folder in runs.beside_nodes() if _is_run(folder)}
    users = Counter(name for names in named.values() for name in names)
    sizes = {name: _bytes_in(runs.node(name).path) for name in users}
    return [
        ListedRun(
            folder.name,
            *_read(folder),
            worked_on=_worked_on(folder),
            own_bytes=_bytes_in(folder.path)
            + sum(sizes[name] for name in names if users[name] == 1),
            shared_bytes=sum(sizes[name] for name in names if users[name] > 1),
        )
        for folder, names in named.items()
    ]


def _is_run(folder: RunFolder) -> bool:
    """Say whether a folder has a run.json, whatever that is; a folder that cannot be entered may
    have one.
    """
    try:
        return folder.file.is_symlink() or folder.file.exists()
    except OSError:
        return True


def _read(folder: RunFolder) -> tuple[RunRecord | None, str, str]:
    try:
        return read_run(folder.path), "", ""
    except NothingEvaluatedError as error:
        return None, "nothing evaluated yet", str(error)
    except (OSError, ValueError) as error:
        return None, "cannot be read", str(error)


def _named_nodes(folder: RunFolder) -> set[str]:
    """Name the nodes of a run, also of one whose run.json is damaged."""
    try:
        with folder.file.open("rb") as file:
            text = file.read(_LARGEST).decode(errors="replace")
    except OSError:
        return set()
    return set(_NODE.findall(text))


def _worked_on(folder: RunFolder) -> str:
    """Say when the run was last written; "" where its file says nothing."""
    try:
        changed = folder.file.lstat().st_mtime
        return datetime.fromtimestamp(changed).strftime("%Y-%m-%d %H:%M")
    except (OSError, ValueError, OverflowError):
        return ""


def _bytes_in(folder: Path) -> int:
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        try:
            seen = path.lstat()
        except OSError:
            # it went meanwhile
            continue
        if not path.is_dir():
            yield seen.st_size
