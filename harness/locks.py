"""Locks that say who holds them. The system frees a lock when its process ends, however it does, so
that one which is held is held by a living process.

File systems without locks of their own get filelock's own, which knows a dead process by its host,
pid and start.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from stagelift.evals.files import read_record, write_record
from stagelift.evals.printed import one_line
from stagelift.evals.records import Record


class Holder(Record):
    """The process that holds a lock: since when, by its own clock."""

    pid: int
    host: str
    since: str


class Held(Exception):
    """Another process holds the lock; the message says which."""


@contextmanager
def held(path: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock. Where another process has it, say which, and wait; without `on_wait` raise Held.

    Raises OSError where the lock's file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait is None:
            raise Held(holder(path)) from None
        on_wait(holder(path))
        lock.acquire()
    try:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        write_record(_said(path), Holder(pid=os.getpid(), host=socket.gethostname(), since=since))
        yield
    finally:
        _said(path).unlink(missing_ok=True)
        lock.release()


def on_standard_error(holder: str) -> None:
    """Say that a lock is waited for."""
    print(one_line(f"Waiting for {holder}, which works on the same."), file=sys.stderr)


def holder(path: Path) -> str:
    """Say which process holds a lock, as far as it said so."""
    try:
        said = read_record(_said(path), Holder)
    except (OSError, ValueError):
        return "another process"
    host = "" if said.host == socket.gethostname() else f" on {said.host}"
    return f"process {said.pid}{host}, since {said.since}"


def is_held(path: Path) -> bool:
    """Say whether a process holds a lock."""
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _said(path: Path) -> Path:
    return path.with_name(f"{path.name}.holder")
