"""`stagelift import` and `stagelift rescore`: records that come from elsewhere, or are read
again.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stagelift.harness.commands.options import (
    RunsFolder,
    keep_garbage,
    quiet_environment,
    usage_errors,
)
from stagelift.harness.commands.report import store_outputs, write_reports


class ImportFormat(StrEnum):
    """What a file of results holds."""

    responses = "responses"
    lm_eval = "lm-eval"
    alpaca_eval = "alpaca-eval"


def import_file(
    file: Annotated[Path, typer.Argument(help="The file of results.")],
    form: Annotated[ImportFormat, typer.Option("--as", help="What the file holds.")],
    name: Annotated[str, typer.Option(help="Name of the run it becomes.")],
    runs: RunsFolder = Path("runs"),
) -> None:
    """Make a run out of results produced elsewhere; every report works on it.

    A malformed file is refused whole. What of a file cannot be taken over is named.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.harness.graph.store import Store
    from stagelift.harness.importing import import_results
    from stagelift.reports.words.formatting import safe_text

    with usage_errors():
        imported = import_results(file, form.value, name, Store(runs))
    write_reports(imported.folder)
    for note in imported.notes:
        typer.echo(f"Note: {safe_text(note)}.", err=True)


def rescore(
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run by name or folder.")],
    runs: RunsFolder = Path("runs"),
) -> None:
    """Read a run's stored responses again with the scorer as it is now, without a model, and say
    what changed.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.harness.checks.sources import run_folder
    from stagelift.harness.rescoring import rescore as score_again
    from stagelift.reports.words.changes import describe_changes

    folder = run_folder(name, runs).path
    with usage_errors():
        changes = score_again(folder)
    typer.echo("\n".join(describe_changes(changes)))
    if any(change.metrics for change in changes):
        store_outputs(folder)
