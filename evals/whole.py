"""Files and folders that appear whole: written beside their place, and renamed.

What lies beside is locked by the process that writes it, and the system frees the lock when that
ends, however it does. So a file without a lock was left by a process that is gone.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from stagelift.evals.disk_space import named_if_full

if sys.platform != "win32":
    import fcntl

_FILE, _FOLDER, _BEFORE = ".tmp", ".part", ".before"
UNFINISHED = (_FILE, _FOLDER, _BEFORE)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` in one step: write beside it, fsync, rename."""
    with replaced_file(path) as beside, beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a file to fill beside `path`, which it replaces in one rename; where it is not filled to
    its end, it goes.
    """
    with named_if_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{_quoted(path.name)}.*{_FILE}"):
            _remove_if_left(left)
        beside = path.with_name(f".{path.name}.{os.getpid()}{_FILE}")
        # innermost: the space there is said before what was half written goes
        with _locked(beside), _removed_on_error(beside), named_if_full(path):
            yield beside
            beside.replace(path)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill beside `path`, which it replaces in one rename.

    One process at a time may do so: the caller holds a lock. What was at `path` is never lost: a
    kill leaves it there, or beside it, from where `finish_replacing` brings it back.
    """
    beside, before = _with_ending(path, _FOLDER), _with_ending(path, _BEFORE)
    with named_if_full(path):
        finish_replacing(path)
        beside.mkdir(parents=True)
        with _removed_on_error(beside), named_if_full(path):
            yield beside
            if path.exists():
                path.rename(before)
            beside.rename(path)
    shutil.rmtree(before, ignore_errors=True)


def finish_replacing(path: Path) -> None:
    """Put right what a kill left of a folder that was being replaced."""
    before = _with_ending(path, _BEFORE)
    if before.exists() and not path.exists():
        before.rename(path)
    for left in (before, _with_ending(path, _FOLDER)):
        shutil.rmtree(left, ignore_errors=True)


def remove_left_files(folder: Path) -> None:
    """Remove the files that writers left below a folder who are gone."""
    for left in folder.rglob(f".*{_FILE}"):
        _remove_if_left(left)


def remove_left_folders(folder: Path) -> None:
    """Put right every folder below this one that was being replaced. The caller holds its lock."""
    for left in [*folder.rglob(f"*{_BEFORE}"), *folder.rglob(f"*{_FOLDER}")]:
        if left.is_dir() and not left.is_symlink():
            finish_replacing(left.with_suffix(""))


def _with_ending(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")


def _quoted(name: str) -> str:
    """Write a name as a pattern that matches only this name."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextmanager
def _removed_on_error(beside: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Create a file and hold its lock. Windows needs none: there nobody can remove a file that is
    open.
    """
    if sys.platform == "win32":
        yield
        return
    file = _open_locked(path)
    try:
        yield
    finally:
        file.close()


def _open_locked(path: Path) -> BinaryIO:
    while True:
        file = path.open("ab")
        # a file system without locks
        with suppress(OSError):
            _lock(file, wait=True)
        # who removes what is left may have been quicker
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def _remove_if_left(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        return
    with suppress(OSError), path.open("ab") as file:
        _lock(file, wait=False)
        path.unlink()


def _lock(file: BinaryIO, *, wait: bool) -> None:
    """Lock a file, or raise OSError where another process holds it and nobody waits."""
    if sys.platform != "win32":
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
