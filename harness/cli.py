"""The `stagelift` command.

Heavy imports only inside the commands that need them: --help is instant.
"""

from typing import Annotated

import typer

from stagelift.harness.commands.check import baseline_app, check
from stagelift.harness.commands.delete import delete
from stagelift.harness.commands.endings import Commands
from stagelift.harness.commands.export import export
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
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(judge_app, name="judge")
app.add_typer(baseline_app, name="baseline")
app.command()(check)
app.command()(plan)
app.command()(prune)
app.command()(delete)
app.command()(run)
app.command()(evaluate)
app.command("import")(import_file)
app.command()(rescore)
app.command()(verify)
app.command()(vote)
app.command()(report)
app.command()(export)
app.command()(push)
app.command("runs")(list_runs)


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
