"""Folders that are made once for all workers of a test session, and stay as they were made."""

import json
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def made_once(base: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder `name` below `base`, made by whichever process comes first.

    The others wait. What was made is read-only, and `written_since` says whether it stayed so.
    """
    folder, state = base / name, base / f"{name}.json"
    with FileLock(base / f"{name}.lock"):
        if not state.exists():
            # what a failed attempt left
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            _make_read_only(folder)
            state.write_text(json.dumps(_state(folder)))
    return folder


def base_of_all_workers(factory: pytest.TempPathFactory, worker: str) -> Path:
    """Return the temp folder that the workers of pytest-xdist share."""
    own = factory.getbasetemp()
    return own if worker == "master" else own.parent


def written_since(folder: Path) -> list[str]:
    """Return what was added, changed or removed in a folder since it was made."""
    before = json.loads(folder.with_name(f"{folder.name}.json").read_text())
    now = _state(folder)
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def copied(source: Path, target: Path) -> Path:
    """Copy a folder of those, so that it can be written to."""
    shutil.copytree(source, target)
    for path in _all_in(target):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    return target


def _make_read_only(folder: Path) -> None:
    for path in _all_in(folder):
        path.chmod(path.stat().st_mode & ~WRITABLE)


def _state(folder: Path) -> dict[str, list[int]]:
    """Describe every path by what changes with a write; the user root may write anywhere."""
    found = {path.relative_to(folder).as_posix(): path.stat() for path in _all_in(folder)}
    return {name: [stats.st_size, stats.st_mtime_ns] for name, stats in found.items()}


def _all_in(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")
