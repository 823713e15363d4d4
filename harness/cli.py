"""The `stagelift` command.

Heavy imports only inside the commands that need them: --help is instant.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from stagelift.harness.commands.check import baseline_app, check
from stagelift.harness.commands.delete import delete
from stagelift.harness.commands.endings import Commands
from stagelift.harness.commands.examples import example_lines
from stagelift.harness.commands.export import export
from stagelift.harness.commands.help import Command
from stagelift.harness.commands.judge import judge_app
from stagelift.harness.commands.plan import plan
from stagelift.harness.commands.prune import prune
from stagelift.harness.commands.push import push
from stagelift.harness.commands.records import import_file, rescore
from stagelift.harness.commands.report import list_runs, report
from stagelift.harness.commands.run import evaluate, run
from stagelift.harness.commands.verify import verify
from stagelift.harness.commands.vote import vote
from stagelift.harness.streams import cleaned_streams

app = typer.Typer(
    cls=Commands,
    help="What did each post-training stage add? Trains with TRL (SFT, DPO, GRPO and others), "
    "measures after every stage, reports with intervals.",
    epilog=example_lines(""),
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _add(group: str, name: str, what: str, command: Callable[..., None]) -> None:
    """Add a command to a group of the help, where `what` it does is said in a line."""
    app.command(
        name, cls=Command, rich_help_panel=group, short_help=what, epilog=example_lines(name)
    )(command)


# in the order in which they are used
_add("Run", "plan", "What a run would take, cost and be able to show", plan)
_add("Run", "run", "Train and evaluate a recipe, stage by stage, and report", run)
_add("Read", "report", "What each stage added, in the terminal or as a file", report)
_add("Read", "runs", "The runs in a folder", list_runs)
_add("Read", "vote", "A page on which people vote on judged pairs", vote)
app.add_typer(
    baseline_app,
    name="baseline",
    rich_help_panel="Gate",
    short_help="Bless a run as what later ones are checked against",
)
_add("Gate", "check", "Is a candidate no worse than a baseline?", check)
_add("Bring your own", "evaluate", "Measure what you trained elsewhere", evaluate)
_add("Bring your own", "import", "Make a run of results of other tools", import_file)
app.add_typer(
    judge_app,
    name="judge",
    rich_help_panel="Bring your own",
    short_help="Train a judge on preference pairs",
)
_add("Keep", "verify", "Is everything of a run still what was written?", verify)
_add("Keep", "rescore", "Read a run's stored responses again, without a model", rescore)
_add("Keep", "delete", "Delete a run", delete)
_add("Keep", "prune", "Delete trained stages that no run refers to", prune)
_add("Share", "export", "Write results as lm-eval or Every Eval Ever has them", export)
_add("Share", "push", "Upload a stage's adapter and model card to the Hub", push)


def main() -> None:
    """Entry point of the console script."""
    with cleaned_streams():
        app()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"stagelift {version('stagelift')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass
