"""`stagelift verify`: is everything that a run refers to still what was written?

Exit codes: 0 whole; 1 damaged; 2 there is no such run.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import (
    OneRun,
    RunsFolder,
    keep_garbage,
    quiet_environment,
    usage_errors,
)

if TYPE_CHECKING:
    from stagelift.harness.verifying import Verified


class VerifyFormat(StrEnum):
    """How what was seen is written."""

    terminal = "terminal"
    json = "json"


def verify(
    name: OneRun,
    format: Annotated[VerifyFormat, typer.Option(help="How to write it.")] = VerifyFormat.terminal,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Look whether everything that a run refers to is what was written: hashes, names of nodes, and
    stored scores against responses that are read again.

    Exit 0 whole, 1 damaged, 2 no such run. Nothing is written, and no code of yours is run.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.harness.checks.sources import run_folder
    from stagelift.harness.verifying import verify as look

    with usage_errors():
        seen = look(run_folder(name, runs))
    typer.echo(_as_json(seen) if format is VerifyFormat.json else _as_text(seen))
    raise SystemExit(0 if seen.is_whole else 1)


def _as_text(seen: "Verified") -> str:
    from stagelift.evals.printed import one_line
    from stagelift.reports.words.counting import number_of

    lines = [f"Run '{seen.run}': {number_of(seen.files, 'file')} compared with the hash written."]
    lines += [f"Damaged: {damage}." for damage in seen.damages]
    if seen.not_hashed:
        folders = number_of(len(seen.not_hashed), "folder")
        lines.append(
            f"Not hashed, as written before stagelift kept hashes: {folders}. Of these is known "
            "whether they can be read, and agree."
        )
    lines += [f"Scores not compared: {reason}." for reason in seen.not_compared]
    if seen.is_whole:
        lines.append("Whole: nothing differs.")
    else:
        lines.append(seen.remedy)
    return "\n".join(map(one_line, lines))


def _as_json(seen: "Verified") -> str:
    return json.dumps(
        {
            "run": seen.run,
            "whole": seen.is_whole,
            "files": seen.files,
            "damaged": [
                {"file": str(damage.file), "problem": damage.what} for damage in seen.damages
            ],
            "not_hashed": [str(path) for path in seen.not_hashed],
            "not_compared": list(seen.not_compared),
            "remedy": None if seen.is_whole else seen.remedy,
        },
        indent=2,
    )
