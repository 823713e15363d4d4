"""Blessed baselines: a stage's scores as a small file that a repository can carry.

Every one that was blessed before is kept:

baselines/<name>/0001.json 0002.json ...    the last one counts
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from stagelift.evals.files import read_record, write_text
from stagelift.evals.records import Record
from stagelift.harness.errors import UsageError
from stagelift.reports.gates.scores import StageScores


class Baseline(Record):
    """Scores and when they were blessed (UTC)."""

    blessed: str
    scores: StageScores


def bless(scores: StageScores, folder: Path, name: str) -> Path:
    """Write scores as the newest baseline of this name and return the file.

    Nothing is overwritten.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise UsageError(
            f"A baseline cannot be named {name!r}: at most 80 letters, digits and . _ - , the "
            "first a letter or digit."
        )
    path = folder / name / f"{len(history(folder, name)) + 1:04}.json"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(path, Baseline(blessed=now, scores=scores).model_dump_json(exclude_none=True) + "\n")
    return path


def history(folder: Path, name: str) -> list[Path]:
    """Return the files of a baseline, oldest first; empty where there is none."""
    return sorted(path for path in (folder / name).glob("*.json") if path.stem.isdigit())


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises UsageError where the file is none."""
    try:
        return read_record(path, Baseline)
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{path} is not a baseline of stagelift: {str(error).splitlines()[0]}"
        ) from None


def baseline_names(folder: Path) -> list[str]:
    """Name the baselines there are."""
    return sorted(path.name for path in folder.glob("*") if history(folder, path.name))
