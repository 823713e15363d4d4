"""A trainer's checkpoints: one counts only when its `complete` mark is there, which is written
last, so that a kill while saving leaves none that is half written.

The mark holds the hashes of the checkpoint's files and of what was logged up to it: nothing goes on
from one that was damaged afterwards. Marks of earlier code are empty, and nothing is said of them.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from stagelift.evals.files import read_record, read_records, write_record
from stagelift.evals.hashes import compared_with, files_in, hashed
from stagelift.evals.records import Record
from stagelift.stages.records import LogRow

_COMPLETE = "complete"


class _Mark(Record):
    """Hashes of a checkpoint's files by name, and of the log's first bytes, which it goes with."""

    files: dict[str, str]
    log: str
    log_bytes: int


def last_whole_checkpoint(folder: Path, log: Path) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint that is whole, and remove those that are not.

    Returns, too, in words, which were whole once and were damaged since.
    """
    damaged: list[str] = []
    for checkpoint in _newest_first(folder):
        if not (checkpoint / _COMPLETE).exists():
            shutil.rmtree(checkpoint)
    for checkpoint in _newest_first(folder):
        problem = _damage(checkpoint, log)
        if problem is None:
            return checkpoint, damaged
        damaged.append(f"{checkpoint.name} was damaged ({problem})")
        shutil.rmtree(checkpoint)
    return None, damaged


def whole_checkpoints(folder: Path, log: Path) -> list[Path]:
    """Return the checkpoints that are whole, the newest first."""
    marked = [path for path in _newest_first(folder) if (path / _COMPLETE).exists()]
    return [path for path in marked if _damage(path, log) is None]


def mark_complete(folder: Path, step: int, log: Path) -> None:
    """Say that the checkpoint of a step is written to its end, with what was logged so far."""
    checkpoint = folder / checkpoint_name(step)
    logged = log.read_bytes() if log.exists() else b""
    mark = _Mark(
        files=hashed(checkpoint, files_in(checkpoint, _COMPLETE)),
        log=hashlib.sha256(logged).hexdigest(),
        log_bytes=len(logged),
    )
    write_record(checkpoint / _COMPLETE, mark)


def cut_log(log: Path, checkpoint: Path) -> None:
    """Cut off what was logged after a checkpoint, whether or not it can be read."""
    mark = _mark(checkpoint)
    if mark is not None and log.exists():
        os.truncate(log, mark.log_bytes)


def checkpoint_name(step: int) -> str:
    """Name the folder of a step, as transformers does."""
    return f"checkpoint-{step}"


def step_of(checkpoint: Path | None) -> int:
    """Return the step that a checkpoint was saved at; 0 for none."""
    match = re.search(r"checkpoint-(\d+)$", str(checkpoint))
    return int(match.group(1)) if match else 0


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True)


def _damage(checkpoint: Path, log: Path) -> str | None:
    """Say why nothing can go on from a checkpoint that was whole; None where it can."""
    try:
        mark = _mark(checkpoint)
        if mark is None:
            read_records(log, LogRow)
            return None
    except ValueError:
        return "its mark or its log cannot be read"
    differing = compared_with(checkpoint, mark.files)
    if differing:
        return f"{differing[0].file.name} {differing[0].what}"
    logged = log.read_bytes()[: mark.log_bytes] if log.exists() else b""
    if hashlib.sha256(logged).hexdigest() != mark.log:
        return f"{log.name}, which goes with it, is not what was written"
    return None


def _mark(checkpoint: Path) -> _Mark | None:
    """Read a checkpoint's mark; None of one that earlier code left empty."""
    mark = checkpoint / _COMPLETE
    return read_record(mark, _Mark) if mark.stat().st_size else None
