"""`stagelift prune`: delete the nodes that no run refers to, after showing them."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import RunsFolder, open_console, size_words, usage_errors

if TYPE_CHECKING:
    from stagelift.harness.graph.prune import Unneeded


def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Delete the trained stages (nodes) that no run refers to: shows what and how much, then asks.

    Without a terminal it only shows.
    """
    from stagelift.harness.graph.prune import find_unneeded
    from stagelift.harness.graph.prune import prune as delete
    from stagelift.harness.graph.store import Store

    store = Store(runs)
    with usage_errors():
        survey = find_unneeded(store)
    if survey.busy:
        names = ", ".join(survey.busy)
        typer.echo(
            f"Left alone, because a process works on them: {names}, and what they were made from."
        )
    if not survey.unneeded:
        typer.echo(f"Nothing to delete in {runs}.")
        return
    _show(survey.unneeded, runs)
    if not yes and not _agreed(runs):
        return
    with usage_errors():
        deleted = delete(store, survey.unneeded)
    typer.echo(f"Deleted: {_amount(deleted)}.")
    for node in survey.unneeded:
        if node not in deleted:
            typer.echo(f"Left alone: {node.folder.name}, which came into use meanwhile.")


def _show(unneeded: "Sequence[Unneeded]", runs: Path) -> None:
    from stagelift.evals.printed import excerpt
    from stagelift.reports.formats.columns import Columns, print_columns
    from stagelift.reports.formats.console import Text

    rows = []
    for node in unneeded:
        written = node.written.strftime("%Y-%m-%d %H:%M")
        cells = (excerpt(node.folder.name), excerpt(node.what, 160), written, size_words(node.size))
        rows.append(list(map(Text, cells)))
    titles = ("node", "what it is", "last written", "size")
    print_columns(Columns(titles, [rows]), open_console())
    typer.echo(
        f"{_amount(unneeded)}: no run in {runs} refers to them, directly or through what was made "
        "from them."
    )


def _agreed(runs: Path) -> bool:
    """Ask; where nobody can answer, say how it is done."""
    if not sys.stdin.isatty():
        typer.echo(
            "Nothing was deleted. Delete them with: "
            f"{shlex.join(['stagelift', 'prune', '--runs', str(runs), '--yes'])}"
        )
        return False
    agreed = typer.confirm("Delete them? They are gone then")
    if not agreed:
        typer.echo("Nothing was deleted.")
    return agreed


def _amount(nodes: "Sequence[Unneeded]") -> str:
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    return f"{count}, {size_words(sum(node.size for node in nodes))}"
