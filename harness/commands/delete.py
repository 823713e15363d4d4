"""`stagelift delete`: take a run away, after showing what goes."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from stagelift.harness.commands.options import OneRun, RunsFolder, size_words, usage_errors


def delete(
    name: OneRun,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    nodes: Annotated[
        bool,
        typer.Option(
            "--nodes", help="Delete the trained stages (nodes), too, that no run needs then."
        ),
    ] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Delete a run: its folder with the reports in it, and with --nodes the trained stages that it
    alone needs.

    Asks first; without a terminal it only says what it would delete.
    """
    from stagelift.harness.deleting import deletable, delete_run
    from stagelift.harness.graph.prune import prune
    from stagelift.harness.graph.store import Store

    store = Store(runs)
    with usage_errors():
        folder = deletable(name, store)
    typer.echo(f"Run '{name}': {folder.path}, its recipe, record and reports.")
    if not yes and not _agreed(name, runs, nodes=nodes):
        return
    with usage_errors():
        deletion = delete_run(folder, store)
    typer.echo(
        f"Deleted: run '{name}'. A baseline that was blessed of it stays, and holds by itself."
    )
    if deletion.unknown is not None:
        typer.echo(f"Its nodes stay: {deletion.unknown}")
        return
    if not deletion.unneeded:
        return
    size = size_words(sum(node.size for node in deletion.unneeded))
    names = ", ".join(node.folder.name for node in deletion.unneeded)
    if not nodes:
        hint = shlex.join(["stagelift", "prune", "--runs", str(runs)])
        typer.echo(f"No run needs these nodes any more ({size}): {names}. Delete them with: {hint}")
        return
    with usage_errors():
        prune(store, deletion.unneeded)
    typer.echo(f"Deleted, because no run needs them any more ({size}): {names}.")


def _agreed(name: str, runs: Path, *, nodes: bool) -> bool:
    """Ask; where nobody can answer, say how it is done."""
    if not sys.stdin.isatty():
        words = ["stagelift", "delete", name, "--runs", str(runs), "--yes"]
        words += ["--nodes"] if nodes else []
        typer.echo(f"Nothing was deleted. Delete it with: {shlex.join(words)}")
        return False
    agreed = typer.confirm("Delete it? It is gone then")
    if not agreed:
        typer.echo("Nothing was deleted.")
    return agreed
