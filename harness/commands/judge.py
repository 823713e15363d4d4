"""`stagelift judge`: judges of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from stagelift.harness.commands.endings import FAULT, interrupted_code
from stagelift.harness.commands.examples import example_lines
from stagelift.harness.commands.help import Command, Group
from stagelift.harness.commands.options import (
    Quiet,
    announce_first_use,
    quiet_environment,
    stop,
    told_if_full,
    usage_errors,
)

judge_app = typer.Typer(
    cls=Group,
    help="Make a judge of your own.",
    epilog=example_lines("judge"),
    no_args_is_help=True,
)


@judge_app.command(
    "train",
    cls=Command,
    short_help="Train a reward model with TRL, and check it",
    epilog=example_lines("judge train"),
)
def judge_train(
    output: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Folder for the reward model and its passport."),
    ],
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model to start from.")
    ] = "bundled/smollm2-135m-instruct",
    dataset: Annotated[
        str, typer.Option(metavar="DATASET", help="A preference dataset; its train split is used.")
    ] = "bundled/instructions",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="ARGUMENT=VALUE",
            help="A TRL RewardConfig argument: --set max_steps=100 (repeatable).",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a reward model with TRL's RewardTrainer and check it on pairs it was not trained on."""
    quiet_environment()
    if not quiet:
        announce_first_use([model])
    from stagelift.harness.judge_training import JudgeRequest, train_judge
    from stagelift.harness.progress import QuietView, open_view
    from stagelift.harness.workers.executor import JobFailed, NoRoom
    from stagelift.reports.words.provenance import passport_lines

    try:
        with told_if_full(output), usage_errors():
            request = JudgeRequest(model, dataset, output, overrides or [])
            passport = train_judge(request, QuietView() if quiet else open_view(["judge"]))
    except JobFailed as error:
        stop(f"{error}\nWhat was done is kept.", FAULT if isinstance(error, NoRoom) else 1)
    except KeyboardInterrupt as error:
        stop("\nInterrupted; what was done is kept.", interrupted_code(error))
    for title, text in passport_lines(passport):
        if text:
            typer.echo(f"{title}: {text}")
    settings = f"{{reward_model: {{path: {output / 'model'}}}}}"
    typer.echo(f"Use it in a recipe: evals.preference.judge: {settings}")
