"""`stagelift vote`: a page on which people vote on judged pairs, and their votes read back."""

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
from stagelift.harness.commands.report import store_outputs


class Prompts(StrEnum):
    """Which prompts were judged."""

    test = "test"
    preference = "preference"


def vote(
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run by name or folder.")],
    stage: Annotated[
        str | None, typer.Option(help="The stage voted on; the last judged one if not given.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="base, previous, or that stage's name; base if not given."),
    ] = None,
    prompts: Annotated[
        Prompts | None,
        typer.Option(help="Which prompts; preference prompts, where they were judged."),
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs, drawn at random.")] = 50,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the drawing.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="The page's file; vote.html in the run if not given.")
    ] = None,
    votes: Annotated[
        list[Path] | None,
        typer.Option(
            "--import", help="Read votes that a page exported, instead of making one (repeatable)."
        ),
    ] = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Write a page on which people vote blindly on pairs that a judge judged, or read their votes
    back: reports then correct the judge's win rate by them.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.evals.files import write_text
    from stagelift.harness.checks.sources import run_folder
    from stagelift.harness.voting import Wanted, voting_page

    folder = run_folder(name, runs).path
    if votes:
        _import(folder, votes)
        return
    wanted = Wanted(stage, against, None if prompts is None else prompts.value)
    with usage_errors():
        page = voting_page(folder, wanted, pairs, seed)
        place = output or folder / "vote.html"
        write_text(place, page.html)
    left = f" {page.left} more can be asked about with --pairs." if page.left else ""
    typer.echo(
        f"Written: {place}\n{page.pairs} pairs of {page.stage} and {page.opponent}.{left} Open it "
        f"in a browser, or send it to others. Then: stagelift vote {name} --import FILE"
    )


def _import(folder: Path, files: list[Path]) -> None:
    from stagelift.harness.voting import import_votes, read_votes
    from stagelift.reports.words.votes import vote_sentences

    with usage_errors():
        import_votes(folder, read_votes(files))
    report = store_outputs(folder).report
    for run in report.runs:
        typer.echo("\n".join(vote_sentences(run)))
