"""What the commands share: options that several have, and how a command ends with a sentence."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that holds runs and their nodes.")]


def keep_garbage() -> None:
    """Leave garbage alone in a short process that keeps nearly all it makes: looking for it took a seventh of the time."""
    gc.disable()


@contextmanager
def usage_errors(*others: type[Exception]) -> Iterator[None]:
    """Turn what the user can put right, and `others`, into one sentence and exit code 2."""
    from harness.errors import UsageError

    caught: tuple[type[Exception], ...] = (UsageError, OSError, ValueError, *others)  # a file in the way is an OSError
    try:
        yield
    except caught as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """End with a sentence and exit code 2."""
    typer.echo(f"Error: {message}", err=True)
    raise SystemExit(2)
