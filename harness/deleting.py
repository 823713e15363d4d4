"""A run taken away: its folder, and on request the nodes that no other run needs.

The folder is renamed before it is emptied: killed in between, this leaves nothing that counts as a
run, and the same call goes on.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stagelift.harness.errors import UsageError
from stagelift.harness.graph.prune import Unneeded, find_unneeded
from stagelift.harness.graph.store import Store, lock_run
from stagelift.reports.folders import RESERVED_NAMES, RunFolder

_TAKEN = ".deleted-"


@dataclass(frozen=True)
class Deletion:
    """What became of a run: the nodes that no run needs any more, or why that is not known."""

    unneeded: list[Unneeded]
    unknown: str | None


def deletable(name: str, store: Store) -> RunFolder:
    """Return the folder of a run that can be deleted, also of one that cannot be read, or that a
    killed deletion left.

    Raises UsageError where the name is none, or names something that is no run.
    """
    if (
        not name
        or Path(name).name != name
        or name in (*RESERVED_NAMES, "..")
        or name.startswith(".")
    ):
        raise UsageError(
            f"{name!r:.120} is no name of a run: give the name as `stagelift runs` lists it, and "
            "its folder with --runs."
        )
    folder = store.run(name)
    if folder.path.is_symlink():
        raise UsageError(
            f"{folder.path} is a symbolic link, and what it points at is left alone. Remove the "
            f"link itself with: rm {folder.path}"
        )
    if not (folder.file.is_symlink() or folder.file.exists() or _taken(folder).is_dir()):
        raise UsageError(folder.no_run())
    return folder


def delete_run(folder: RunFolder, store: Store) -> Deletion:
    """Delete a run's folder, and say which nodes no run needs any more.

    Raises UsageError where another process is writing the run.
    """
    taken = _taken(folder)
    with store.lock():
        if taken.exists():
            shutil.rmtree(taken)
        if folder.path.exists():
            with lock_run(folder):
                folder.path.rename(taken)
            # the lock's own words may have been written anew under the old name
            with suppress(OSError):
                folder.path.rmdir()
    if taken.exists():
        shutil.rmtree(taken)
    try:
        return Deletion(find_unneeded(store).unneeded, None)
    except UsageError as error:
        return Deletion([], str(error))


def _taken(folder: RunFolder) -> Path:
    return folder.path.with_name(f"{_TAKEN}{folder.name}")
