"""`stagelift vote`: a page on which people vote on judged pairs, and their votes read back."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stagelift.harness.commands.options import (
    OneRun,
    RunsFolder,
    keep_garbage,
    quiet_environment,
    refuse_beside,
    usage_errors,
)
from stagelift.harness.commands.report import store_outputs

# how many are drawn, where nobody says
_PAIRS = 50


class Prompts(StrEnum):
    """Which prompts were judged."""

    test = "test"
    preference = "preference"


Stage = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="The stage voted on; the last judged one if not given."),
]


Against = Annotated[
    str | None,
    typer.Option(
        metavar="STAGE",
        help="Whom it is compared with: base, previous, or a stage; base if not given.",
    ),
]


WhichPrompts = Annotated[
    Prompts | None,
    typer.Option(help="Which prompts; preference prompts, where they were judged."),
]


Pairs = Annotated[int, typer.Option(min=1, metavar="N", help="How many pairs, drawn at random.")]


Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, metavar="N", help="Seed of the drawing.")]


def vote(
    name: OneRun,
    stage: Stage = None,
    against: Against = None,
    prompts: WhichPrompts = None,
    pairs: Pairs = _PAIRS,
    seed: Seed = 0,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page's file; vote.html in the run if not given."),
    ] = None,
    votes: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Read votes that a page exported, instead of making one (repeatable).",
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
        asked = {"--stage": stage, "--against": against, "--prompts": prompts, "--output": output}
        drawn = {"--pairs": pairs != _PAIRS, "--seed": seed != 0}
        refuse_beside("--import, whose files know their pairs,", {**asked, **drawn})
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
