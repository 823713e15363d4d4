"""What the commands share: options that several have, and how a command ends with a sentence."""

import gc
from pathlib import Path
from typing import Annotated, NoReturn

import typer

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that holds runs and their nodes.")]


def keep_garbage() -> None:
    """Leave garbage alone in a short process that keeps nearly all it makes: looking for it took a seventh of the time."""
    gc.disable()


def fail(message: str) -> NoReturn:
    """End with a sentence and exit code 2."""
    typer.echo(f"Error: {message}", err=True)
    raise SystemExit(2)
