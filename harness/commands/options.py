"""What the commands share: options that several have, and how a command ends with a sentence."""

import errno
import gc
import os
import shlex
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stagelift.harness.commands import completing
from stagelift.harness.commands.endings import Refused
from stagelift.harness.quiet import QUIET
from stagelift.harness.streams import for_styled

if TYPE_CHECKING:
    from stagelift.harness.recipes.sections import Recipe
    from stagelift.reports.formats.console import Console

AcrossEngines = Annotated[
    bool,
    typer.Option(
        "--across-engines",
        help="Compare what different engines answered, too; else that is refused.",
    ),
]
RunsFolder = Annotated[
    Path, typer.Option("--runs", metavar="FOLDER", help="Folder that holds the runs.")
]
OneRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run by name or folder.", autocompletion=completing.run_names
    ),
]
OneRecipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A shipped recipe (quickstart, gsm8k, ...) or a YAML file.",
        autocompletion=completing.recipes,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print the closing lines alone, and what goes wrong."),
]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Override a field of the recipe: --set stages.sft.args.max_steps=10 (repeatable).",
    ),
]
RunName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Name of the run; the recipe's if not given."),
]
TrustOption = Annotated[
    bool | None,
    typer.Option(
        "--trust/--no-trust",
        help="--trust: the recipe may name code and servers anywhere. --no-trust: no code at all, "
        "and files of the working folder only. If neither is given, code of the working folder "
        "may run.",
    ),
]


# no input is to blame for: a full disk, a reader that has enough
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EPIPE}


# characters of an error: a value in it may be a megabyte
_LONGEST = 3900


def open_console() -> "Console":
    """Return a console on standard output.

    A pipe has no width, and 80 columns would fold every table.
    """
    from stagelift.reports.formats.console import Console
    from stagelift.reports.formats.terminal import WIDE

    console = Console(for_styled(sys.stdout))
    if console.is_terminal or "COLUMNS" in os.environ:
        return console
    return Console(for_styled(sys.stdout), width=WIDE)


def error_console() -> "Console":
    """Return a console on standard error."""
    from stagelift.reports.formats.console import Console

    return Console(for_styled(sys.stderr))


def keep_garbage() -> None:
    """Leave garbage alone in a short process that keeps nearly all it makes.

    Looking for it took a seventh of the time.
    """
    gc.disable()


@contextmanager
def usage_errors(*others: type[Exception]) -> Iterator[None]:
    """Turn what the user can put right, and `others`, into one sentence and exit code 2."""
    from stagelift.harness.commands.refused_paths import refused_path
    from stagelift.harness.errors import SeveralMistakes, UsageError

    # a file in the way is an OSError
    caught: tuple[type[Exception], ...] = (UsageError, OSError, ValueError, *others)
    try:
        yield
    except caught as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            raise
        if isinstance(error, SeveralMistakes):
            fail(*error.sentences)
        fail(refused_path(error) or str(error))


def fail(message: str, *others: str) -> NoReturn:
    """End with a sentence, or a line each, and exit code 2. What it says of files cannot act on a
    terminal.
    """
    from stagelift.evals.printed import one_line, without_its_middle

    sentence = without_its_middle(one_line(message), _LONGEST)
    typer.echo(f"Error: {sentence}", err=True)
    further = [without_its_middle(one_line(other), _LONGEST) for other in others]
    for other in further:
        typer.echo(f"Error: {other}", err=True)
    raise Refused(" ".join([sentence, *further]))


def refuse_beside(option: str, others: Mapping[str, object]) -> None:
    """End where one of the others was given, by its name: it would do nothing beside the option."""
    given = " and ".join(name for name, value in others.items() if value)
    if given:
        fail(f"{given} would do nothing beside {option}. Leave out the one or the other.")


def quiet_environment() -> None:
    """Set what libraries read at import: no telemetry, no warnings, no progress bars of theirs."""
    from stagelift.evals.models.four_bit import quiet_about_kernel

    _refuse_no_home()
    _refuse_no_folder()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    # libraries telling each other what to rename
    warnings.simplefilter("ignore", FutureWarning)
    quiet_about_kernel()


def _refuse_no_home() -> None:
    """Libraries keep their caches there, and each would fail at it in its own words."""
    try:
        Path.home()
    except RuntimeError:
        fail(
            "There is no home folder: HOME is not set, and the system does not know this user. Set "
            "HOME to a folder that may be written to, such as HOME=/tmp/me."
        )


def _refuse_no_folder() -> None:
    """Recipes name files from here, and libraries ask for it as they are imported."""
    try:
        Path.cwd()
    except FileNotFoundError:
        fail(
            "The working folder is gone: it was deleted or moved. Change to a folder that is there "
            "(cd), and give the command again."
        )


@contextmanager
def trusted_as_asked(recipe: "Recipe") -> Iterator[None]:
    """Trust a recipe as the command, the environment, or else it says itself; where it is the
    recipe's own word, say so.
    """
    from stagelift.evals.printed import one_line
    from stagelift.evals.trust import VARIABLE, Trust, granted, trusting

    if recipe.trust.code and not os.environ.get(VARIABLE):
        typer.echo(
            f"Note: recipe '{one_line(recipe.name)}' says of itself that it is trusted (trust: "
            "{code: true}): it may run code from anywhere on this machine, and send data and keys "
            "elsewhere. --no-trust refuses that.",
            err=True,
        )
    level = granted(recipe.trust.code)
    if recipe.trust.code and level is not Trust.code:
        typer.echo("Note: what the recipe says of trust does not count here.", err=True)
    with trusting(level):
        yield


def announce_first_use(models: Iterable[str]) -> None:
    """Say that models are made ready which are not yet, for it takes a while: the bundled one, and
    GGUF files.
    """
    from stagelift.evals.models.model import is_prepared, model_title

    for model in dict.fromkeys(models):
        if not is_prepared(model):
            typer.echo(f"Preparing {model_title(model)}: once, into your cache.")


def stop(message: str, code: int) -> NoReturn:
    """End after something was done, saying how to go on."""
    typer.echo(f"{message} {_resume_hint()}", err=True)
    raise SystemExit(code)


@contextmanager
def told_if_full(folder: Path) -> Iterator[None]:
    """End, saying how to go on, where a disk is full: of the file that an error names, or else of
    a folder.
    """
    from stagelift.evals.disk_space import full_disk
    from stagelift.harness.commands.endings import FAULT

    try:
        yield
    except OSError as error:
        said = full_disk(error, Path(error.filename) if error.filename else folder)
        if said is None:
            raise
        stop(f"Error: {said}", FAULT)


def _resume_hint() -> str:
    return f"Go on with: {shlex.join(['stagelift', *sys.argv[1:]])}"


def size_words(size: int) -> str:
    """Write bytes in the unit that fits: kB, MB or GB (powers of 1000)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"
