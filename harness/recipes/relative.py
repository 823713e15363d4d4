"""Relative paths of a recipe: they are relative to its own folder, wherever a command is given.

Which texts are paths is told by the keys that they stand under, also by dotted ones of variants.
What `--set` says comes later, and is relative to the working folder.
"""

import copy
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from stagelift.evals.data.bundled_data import is_bundled
from stagelift.evals.models.bundled import NAME as BUNDLED_MODEL
from stagelift.evals.places import is_url
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.overrides import PATH_ALONE
from stagelift.reports.folders import RunFolder

# what may be a name on the Hub, too
_OR_HUB = {"path", *PATH_ALONE, "adapter"}
_FILES = {"gguf", "checkpoints", "votes", "chat_template", "config_file", "schema", "artefacts"}
# names of lm-eval's tasks, or files of them
_TASKS = {"task", "tasks"}
# what stands under these is a server's, or an option
_NO_PATHS = {"openai", "server", "vllm", "lora", "export"}
_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".gguf", ".yaml", ".yml", ".jinja", ".pt")
# `"C:\new"` in double quotes holds a newline
_EATEN = re.compile(r"[\x00-\x1f\x7f\x85\xa0]")


@dataclass(frozen=True)
class LeftBehind:
    """A path that leads nowhere from the recipe's `folder`, and somewhere from where we work."""

    key: str
    written: str
    path: str
    folder: Path


@dataclass(frozen=True)
class _Place:
    """Where a path stands in a recipe's content: `holder[name]` is the text."""

    holder: Any
    name: Any
    key: str

    @property
    def text(self) -> str:
        return str(self.holder[self.name])

    @property
    def parts(self) -> list[str]:
        return [part for part in self.key.split(".") if not part.isdecimal()]


def lead_from_here(content: Any, file: Path) -> list[LeftBehind]:
    """Change the relative paths in the content of a recipe's file so that they lead from the
    working folder, and return those that only did so as they were written.

    Raises UsageError where a path in double quotes lost its backslashes.
    """
    folder, left = _from_here(file.parent), []
    run = RunFolder(file.parent)
    for place in list(_places(content, "")):
        written = place.text
        _refuse_eaten(place, file.name)
        if not _is_relative(written):
            continue
        if folder is None:
            if run.is_run() and not _exists(written):
                place.holder[place.name] = _found_above(written, run.runs.root)
            continue
        there = os.path.normpath(folder / written)
        is_left = not _exists(there) and _exists(written)
        if is_left:
            left.append(LeftBehind(place.key, written, there, folder))
        if is_left or _exists(there) or _is_written_as_path(place):
            place.holder[place.name] = there
    return left


def refuse_left_behind(content: Any, left: Sequence[LeftBehind], where: str) -> None:
    """Raise UsageError where a path is still in the content that leads nowhere: it names both
    places.
    """
    texts = {place.text for place in _places(content, "")}
    for path in left:
        if path.path not in texts:
            continue
        there, here = Path(path.path).absolute(), Path(path.written).absolute()
        remedy = os.path.relpath(here, path.folder.absolute())
        raise UsageError(
            f"{path.key} in {where} is '{path.written}'. Paths in a recipe are relative to its "
            f"folder, and {there} does not exist; in the working folder there is {here}. Write "
            f"'{Path(remedy).as_posix()}' in the recipe, or put it on the command line, where "
            f"paths are relative to the working folder: --set {_settable(path.key)}={path.written}"
        )


def with_same_files(held: Any, wanted: Any, runs: Path) -> Any:
    """Return the content of a stored recipe with the paths of another one where both mean the same
    file, so that it does not count from which folder a command was given.

    Which folder a stored path led from nobody wrote down: the working folder of today, or one that
    the runs lie below.
    """
    held = copy.deepcopy(held)
    texts = {place.key: place.text for place in _places(wanted, "")}
    folders = [Path.cwd(), *runs.resolve().parents]
    for place in list(_places(held, "")):
        text = texts.get(place.key, place.text)
        if text != place.text and _is_same_file(place.text, text, folders):
            place.holder[place.name] = text
    return held


def _is_same_file(held: str, wanted: str, folders: Sequence[Path]) -> bool:
    file = Path(wanted).resolve()
    return _exists(wanted) and any((folder / held).resolve() == file for folder in folders)


def _settable(key: str) -> str:
    """Return the key that a source's path has, where it is written as the path alone."""
    return f"{key}.path" if key.rpartition(".")[2] in ("data", "dataset") else key


def _from_here(folder: Path) -> Path | None:
    """Return a recipe's folder as it is reached from the working folder; None where it is that.

    The recipe of a finished run is a record: its paths led from the working folder when it was
    written.
    """
    whole = Path(os.path.normpath(Path.cwd() / folder))
    if whole.resolve() == Path.cwd().resolve() or RunFolder(whole).is_run():
        return None
    return _shortly(whole)


def _found_above(written: str, runs: Path) -> str:
    """Return where a path of a stored recipe leads from a folder that its runs lie below; as it is
    written where it leads nowhere.
    """
    found = (folder / written for folder in runs.resolve().parents)
    there = next((path for path in found if _exists(str(path))), None)
    return written if there is None else str(_shortly(there))


def _shortly(whole: Path) -> Path:
    here = Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def _places(content: Any, key: str) -> Iterator[_Place]:
    """Yield every text in a recipe's content that is a path, or may be one."""
    match content:
        case dict():
            items = [(name, f"{key}.{name}" if key else str(name)) for name in content]
        case list():
            items = [(number, f"{key}.{number}") for number in range(len(content))]
        case _:
            return
    for name, below in items:
        if isinstance(content[name], str):
            place = _Place(content, name, below)
            if _may_be_path(place):
                yield place
        else:
            yield from _places(content[name], below)


def _may_be_path(place: _Place) -> bool:
    *above, last = place.parts or [""]
    text = place.text
    if last in _TASKS:
        return text.endswith((".yaml", ".yml"))
    if _NO_PATHS & {*above}:
        return False
    if last == "chat_template":
        return not ("{{" in text or "{%" in text)
    return last in _OR_HUB | _FILES or ("args" in above and _is_like_path(text))


def _is_like_path(text: str) -> bool:
    return text.startswith(("./", "../")) or text.endswith(_SUFFIXES)


def _is_written_as_path(place: _Place) -> bool:
    return place.parts[-1] in _FILES or _is_like_path(place.text)


def _is_relative(text: str) -> bool:
    is_ours = is_bundled(text) or text == BUNDLED_MODEL or is_url(text)
    is_whole = Path(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("~")
    return not (is_ours or is_whole or not text.strip())


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _refuse_eaten(place: _Place, where: str) -> None:
    if _EATEN.search(place.text):
        raise UsageError(
            f"{place.key} in {where} is {place.text!r:.200}: in double quotes a backslash begins "
            "an escape, and \\n is a newline. Write the path in single quotes, "
            r"'C:\new\data.jsonl', or with slashes: C:/new/data.jsonl."
        )
