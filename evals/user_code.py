"""A user's function by its dotted path: where its code lies, what its source says, and itself.

Looking at it imports nothing. It is in the working folder; elsewhere only where the recipe is
trusted.
"""

import ast
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from stagelift.evals.trust import TRUST_IT, Trust, is_inside, is_only_looking, trust

# how often a name may be handed on from module to module
_MOST_HANDED_ON = 10
# where a source has one of these, names may come about that are nowhere written
_BINDS_UNSEEN = (b"import *", b"__getattr__", b"globals(", b"vars(", b"setattr(", b"exec(")
# modules that were looked at before they were imported
_IMPORTED: dict[tuple[Trust, str, str], ModuleType] = {}


@dataclass(frozen=True)
class WrittenFunction:
    """A function as its source has it: its file (None where it has none), and its arguments (None
    where the source does not show them, as of what a call returns).
    """

    file: Path | None
    arguments: ast.arguments | None


def look_at_function(path: str, what: str) -> WrittenFunction:
    """Read a function's source, such as that of `package.module.function`.

    Raises ValueError, in a sentence that calls it `what`, where there is none, or its code is not
    trusted.
    """
    module, _, name = path.rpartition(".")
    with _named(path, what):
        written = _written(_trusted_spec(module), module, name, _MOST_HANDED_ON)
    if written is None:
        raise ValueError(f"{what} '{path}': module '{module}' has no function '{name}'.")
    return written


def load_function(path: str, what: str) -> Callable[..., Any]:
    """Import a function by its path.

    Raises ValueError as `look_at_function` does, and where its module cannot be imported.
    """
    if is_only_looking():
        raise RuntimeError(f"{what} '{path}' would be run where recipes are only looked at")
    module, _, name = path.rpartition(".")
    with _named(path, what):
        function = getattr(_imported(module), name, None)
    if not callable(function):
        raise ValueError(f"{what} '{path}': module '{module}' has no function '{name}'.")
    return function  # type: ignore[no-any-return]  # a user's; whoever asks checks what it returns


def code_of(path: str) -> str:
    """Return a hash of the file that a function is written in; its path where there is no file."""
    file = look_at_function(path, "Function").file
    return path if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def _named(path: str, what: str) -> Iterator[None]:
    """Say of which function an error is."""
    try:
        yield
    except _NotTrustedError as error:
        raise ValueError(f"{what} '{path}' {error}") from error
    except (Exception, SystemExit) as error:
        # a user's module can fail in any way
        raise ValueError(
            f"{what} '{path}' cannot be imported: {type(error).__name__}: {error}."
        ) from error


class _NotTrustedError(Exception):
    """Code that is not to be run; the message goes on after the function's name."""


def _written(spec: ModuleSpec, module: str, name: str, handed_on: int) -> WrittenFunction | None:
    """Find a name in the source of a module; None where it is not there."""
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    if file is None or file.suffix != ".py":
        # part of Python, or compiled: there is no source to look into
        return WrittenFunction(file, None)
    source = file.read_bytes()
    statements = [*_statements(ast.parse(source, str(file)).body)]
    names = {bound: node for node in statements for bound in _binds(node)}
    match names.get(name):
        case ast.FunctionDef(args=arguments) | ast.AsyncFunctionDef(args=arguments):
            return WrittenFunction(file, arguments)
        case ast.Assign(value=ast.Lambda(args=arguments)):
            return WrittenFunction(file, arguments)
        case ast.ImportFrom() as node if handed_on:
            written = _from_elsewhere(node, name, module, spec, handed_on)
            return written or WrittenFunction(file, None)
        case None if not any(word in source for word in _BINDS_UNSEEN):
            return None
    return WrittenFunction(file, None)


def _from_elsewhere(
    node: ast.ImportFrom, name: str, module: str, spec: ModuleSpec, handed_on: int
) -> WrittenFunction | None:
    """Look where a module has a function from; None where that cannot be seen."""
    own = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1] if node.level else []
    origin = ".".join([*above, *([node.module] if node.module else [])])
    # it is looked at only: what the user's own code imports is not the recipe's to name
    specs = _specs(origin, [str(Path.cwd())]) or _specs(origin, None)
    return _written(specs[-1], origin, own, handed_on - 1) if specs else None


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run as a module is imported, those under a condition, too."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from _statements(handler.body)


def _binds(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            return [part.id for target in node.targets for part in _names_in(target)]
        case ast.AnnAssign(value=value) if value is not None:
            return [part.id for part in _names_in(node.target)]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name for alias in node.names]
    return []


def _names_in(target: ast.expr) -> list[ast.Name]:
    return [part for part in ast.walk(target) if isinstance(part, ast.Name)]


def _trusted_spec(module: str) -> ModuleSpec:
    """Find a module: in the working folder, and only there unless the recipe is trusted."""
    level = trust()
    # a hyphen stands in the names of files that are imported by no statement, and can be by name
    if not all(part.replace("-", "_").isidentifier() for part in module.split(".")):
        raise _NotTrustedError(
            "is no path of a function. Write it as module.function, such as rewards.polite of the "
            "file rewards.py in the working folder."
        )
    if level is Trust.none:
        raise _NotTrustedError(
            "is code of the recipe's, and none of that is to run here (--no-trust). Leave it out, "
            "or look at the code and leave --no-trust out."
        )
    inside = _specs(module, [str(Path.cwd())])
    if inside and all(map(_lies_inside, inside)):
        return inside[-1]
    anywhere = _specs(module, None) or inside
    if anywhere and all(map(_lies_inside, anywhere)):
        # by an entry of the path that is a folder of the working folder
        return anywhere[-1]
    if level is not Trust.code:
        raise _NotTrustedError(_elsewhere(module, anywhere))
    if not anywhere:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return anywhere[-1]


def _elsewhere(module: str, specs: Sequence[ModuleSpec]) -> str:
    if not specs:
        return (
            f"cannot be imported: ModuleNotFoundError: there is no module '{module}' in the "
            f"working folder. Write it to {module.replace('.', '/')}.py there."
        )
    place = specs[-1].origin if specs[-1].has_location else "Python itself"
    return (
        f"is not code of the working folder: module '{module}' is that of {place}. Write the "
        f"function in a module of your own there, or {TRUST_IT}."
    )


def _lies_inside(spec: ModuleSpec) -> bool:
    places = [spec.origin] if spec.has_location else spec.submodule_search_locations
    return bool(places) and all(is_inside(Path(str(place))) for place in places or [])


def _specs(module: str, path: Sequence[str] | None) -> list[ModuleSpec]:
    """Find a module and the packages above it, without importing any; none where one is missing.

    Without a `path` it is looked for wherever this Python would.
    """
    found: list[ModuleSpec] = []
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        name, name_there = ".".join(parts[:length]), parts[length - 1]
        # by its last name: by its whole one, Python asks the packages above, which are not imported
        spec = find_spec(name) if path is None else PathFinder.find_spec(name_there, list(path))
        if spec is None:
            return []
        found.append(spec)
        path = list(spec.submodule_search_locations or [])
    return found


def _imported(module: str) -> ModuleType:
    """Import a module that was found; from the working folder without looking elsewhere first."""
    here = str(Path.cwd())
    known = _IMPORTED.get((trust(), here, module))
    if known is not None and known is sys.modules.get(module):
        return known
    spec, first = _trusted_spec(module), module.split(".")[0]
    _forget_other_folders(first, here)
    top = _specs(first, [here])
    if here not in sys.path:
        # last, so that what it imports itself shadows nothing that is installed
        sys.path.append(here)
    if first not in sys.modules and top and _lies_inside(top[0]):
        _execute(top[0])
    loaded = importlib.import_module(module)
    file = getattr(loaded, "__file__", None)
    if spec.has_location and str(file) != spec.origin and not _is_same(file, spec.origin):
        raise ImportError(
            f"the name '{first}' is that of {file}: rename the module in the working folder"
        )
    _IMPORTED[trust(), here, module] = loaded
    return loaded


def _forget_other_folders(name: str, here: str) -> None:
    """Let a module of this name be imported anew that is known from an earlier working folder."""
    elsewhere = [key for key in _IMPORTED if key[1] != here and key[2].split(".")[0] == name]
    for key in elsewhere:
        del _IMPORTED[key]
    if elsewhere:
        for known in [known for known in sys.modules if known.split(".")[0] == name]:
            del sys.modules[known]


def _is_same(file: str | None, other: str | None) -> bool:
    return bool(file and other) and Path(str(file)).resolve() == Path(str(other)).resolve()


def _execute(spec: ModuleSpec) -> None:
    """Import a module by its own file, or a package by its folder."""
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
