"""`stagelift export`: a run written in the layout of another tool."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stagelift.evals.files import write_text
from stagelift.harness.agreeing import read_agreeing_run
from stagelift.harness.errors import UsageError
from stagelift.harness.outputs import with_base
from stagelift.reports.exports.every_eval_ever import every_eval_ever_files
from stagelift.reports.exports.lm_eval import lm_eval_files
from stagelift.reports.folders import RunFolder

Layout = Literal["lm-eval", "every-eval-ever"]


def export(
    folder: Path, layout: Layout, directory: Path, organization: str = "unknown"
) -> list[Path]:
    """Write a run's results below a directory, and return what was written.

    The same run gives the same bytes. Raises UsageError where the directory is a file, ValueError
    or OSError where the records cannot be read.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file. Name a folder to export to.")
    run, when = with_base(read_agreeing_run(folder)), _time(RunFolder(folder))
    match layout:
        case "lm-eval":
            files = lm_eval_files(run, when)
        case "every-eval-ever":
            files = every_eval_ever_files(run, when, organization)
    for path, text in files.items():
        write_text(directory / path, text)
    return [directory / path for path in files]


def _time(folder: RunFolder) -> datetime:
    """Return when a run was last worked at; of one that was imported, when that was."""
    sittings = folder.read().sessions
    if sittings:
        return datetime.fromisoformat(sittings[-1].started)
    return datetime.fromtimestamp(folder.file.stat().st_mtime, UTC)
