"""What is said where a recipe was meant and there is none: no such file, a folder, other YAML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagelift.evals.nearest import nearest

_EXAMPLE = (
    "A recipe begins with keys such as `name: mine`, `stages: [sft]` and `evals: {accuracy: "
    "{limit: 128}}`"
)
_SUFFIXES = (".yaml", ".yml")


def no_such_recipe(path: Path, shipped: Sequence[str]) -> str:
    """Say that there is no file of a recipe, and what is near."""
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        near = f"Name a file in it: {', '.join(map(str, found[:8]))}" if found else ""
        return f"'{path}' is a folder, and a recipe is a YAML file. {near or _EXAMPLE}."
    meant = _near(path, shipped)
    hint = "" if meant is None else f" Did you mean '{meant}'?"
    return (
        f"No recipe '{path}': it is neither a file ({path.absolute()}) nor one of the shipped "
        f"recipes ({', '.join(shipped)}).{hint}"
    )


def no_recipe(content: Any, where: str) -> str:
    """Say that YAML is no recipe."""
    match content:
        case None:
            seen = "it is empty"
        case list():
            seen = "it is a list (its lines begin with `- `)"
        case _:
            seen = f"it is {content!r:.60}"
    return (
        f"{where} is not a recipe: {seen}; expected keys such as name, model and stages. "
        f"{_EXAMPLE}."
    )


def _near(path: Path, shipped: Sequence[str]) -> str | None:
    """Return the recipe that was meant: with its suffix, or of nearly this name."""
    for suffix in _SUFFIXES:
        for candidate in (path.with_name(f"{path.name}{suffix}"), path.with_suffix(suffix)):
            if path.name and candidate.is_file():
                return str(candidate)
    beside = path.parent.glob("*.y*ml") if path.parent.is_dir() else ()
    names = {file.name: str(file) for file in beside} | {name: name for name in shipped}
    near = nearest(path.name, names)
    return None if near is None else names[near]
