"""How far what a recipe names is trusted: code, and places outside the working folder.

A recipe may come from somebody else. What runs its code, or sends something elsewhere, asks here.
Processes that we start inherit the answer with the environment.
"""

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from pathlib import Path

VARIABLE = "STAGELIFT_TRUST"
# how a user says it
TRUST_IT = "say that you trust it: --trust, or trust: {code: true} in the recipe"
_looking = ContextVar("looking", default=False)


class Trust(IntEnum):
    """What a recipe may name."""

    # no code at all, and only files of the working folder
    none = 0
    # code in the working folder, and data anywhere on this machine
    folder = 1
    # code and places anywhere
    code = 2


def trust() -> Trust:
    """Return what this process may trust. Raises ValueError where the environment says it oddly."""
    said = os.environ.get(VARIABLE, "").strip() or Trust.folder.name
    if said not in Trust.__members__:
        raise ValueError(
            f"{VARIABLE} in the environment is '{said[:40]}'. It is one of: "
            f"{', '.join(Trust.__members__)}."
        )
    return Trust[said]


def granted(by_recipe: bool) -> Trust:
    """Return how far a recipe is trusted that says so itself, or not: what the user says on the
    command line or in the environment counts above it.
    """
    if os.environ.get(VARIABLE, "").strip():
        return trust()
    return Trust.code if by_recipe else Trust.folder


@contextmanager
def as_asked(option: bool | None) -> Iterator[None]:
    """Trust as --trust or --no-trust say; where neither is given, as before."""
    if option is None:
        yield
        return
    with trusting(Trust.code if option else Trust.none):
        yield


@contextmanager
def trusting(level: Trust) -> Iterator[None]:
    """Trust this much, in this process and in those that it starts."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = level.name
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@contextmanager
def only_looking() -> Iterator[None]:
    """Run nothing of what a recipe names, however much it is trusted: it is read."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def is_only_looking() -> bool:
    """Say whether nothing of what a recipe names may run now."""
    return _looking.get()


def is_inside(path: Path) -> bool:
    """Say whether a file or folder is in the working folder, links followed, and nothing that was
    installed there.
    """
    place = path.resolve()
    if not place.is_relative_to(Path.cwd().resolve()):
        return False
    return not any(place.is_relative_to(installed) for installed in _installed())


def check_inside(path: str | Path, what: str) -> None:
    """Raise ValueError, in a sentence that calls it `what`, where a path leads out of the working
    folder and the recipe is not trusted.
    """
    if trust() is not Trust.code and not is_inside(Path(path).expanduser()):
        raise ValueError(
            f"{what} '{path}' is outside the working folder. Copy it there, or {TRUST_IT}."
        )


def _installed() -> set[Path]:
    """Return the folders of installed packages, of which a virtual environment may be below the
    working folder.
    """
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return {Path(sysconfig.get_path(name)).resolve() for name in names}
