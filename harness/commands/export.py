"""`stagelift export`: results for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stagelift.harness.commands.options import (
    OneRun,
    RunsFolder,
    keep_garbage,
    refuse_beside,
    usage_errors,
)

# who publishes results, where nobody says
_UNKNOWN = "unknown"


class Layout(StrEnum):
    """Whose layout."""

    lm_eval = "lm-eval"
    every_eval_ever = "every-eval-ever"


def export(
    name: OneRun,
    directory: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write to; made if missing.")
    ],
    layout: Annotated[Layout, typer.Option("--format", help="Whose layout the files have.")],
    organization: Annotated[
        str,
        typer.Option(metavar="NAME", help="Who publishes the results, for every-eval-ever."),
    ] = _UNKNOWN,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Write a run's results and responses as another tool has them, stage by stage."""
    keep_garbage()
    if layout is Layout.lm_eval:
        named = organization != _UNKNOWN
        refuse_beside("--format lm-eval, which has no such field,", {"--organization": named})
    from stagelift.harness.checks.sources import run_folder
    from stagelift.harness.exporting import export as write

    with usage_errors():
        files = write(run_folder(name, runs).path, layout.value, directory, organization)
    typer.echo(f"Written: {len(files)} files in {directory}", err=True)
