"""`stagelift push`: a stage's adapter and model card to the Hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import OneRun, RunsFolder, quiet_environment, usage_errors

if TYPE_CHECKING:
    from stagelift.harness.pushing import Upload


def push(
    name: OneRun,
    stage: Annotated[str, typer.Option(metavar="STAGE", help="The stage, as the report calls it.")],
    to: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The repository on the Hub.")],
    private: Annotated[
        bool,
        typer.Option("--private/--public", help="Who sees a repository that is made now."),
    ] = True,
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="BRANCH", help="The branch; made if missing. The main one if not given."
        ),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option(metavar="MESSAGE", help="The commit's message; run and stage if not given."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be uploaded; upload nothing.")
    ] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Upload a trained stage's adapter and model card to the Hub, after showing what goes there.

    Nothing else uploads anything.
    """
    quiet_environment()
    from stagelift.harness.checks.sources import run_folder
    from stagelift.harness.hub import check_name
    from stagelift.harness.hub import push as upload_to
    from stagelift.harness.pushing import prepare_upload

    with usage_errors():
        check_name(to)
        upload = prepare_upload(run_folder(name, runs), stage)
    made = "private" if private else "public"
    typer.echo(f"{upload.title}, to {to} ({made}, if it is made now):")
    _show(upload)
    if dry_run:
        typer.echo("Nothing was uploaded.")
        return
    with usage_errors():
        said = message or f"Upload {upload.title}"
        place = upload_to(upload, to, private=private, revision=revision, message=said)
    typer.echo(f"Uploaded: {place}")


def _show(upload: "Upload") -> None:
    from stagelift.evals.printed import one_line

    width = max(len(file.name) for file in upload.files)
    for file in upload.files:
        typer.echo(f"  {one_line(file.name):{width}}  {file.size:>13,} bytes")
    for note in upload.notes:
        typer.echo(f"Note: {one_line(note)}")
