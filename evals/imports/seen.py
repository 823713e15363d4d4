"""What is seen of a file or folder before it is read: its kind, its first row, the names in it.

Formats are recognised by this, and what is not recognised is answered with it.
"""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stagelift.evals.files import read_text

Kind = Literal[
    "a folder",
    "JSON lines",
    "a JSON list",
    "a JSON object",
    "CSV",
    "Parquet",
    "a zip archive",
    "an empty file",
    "text",
    "no text",
]
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"


@dataclass(frozen=True)
class Seen:
    """A file or folder at first sight.

    `first` is the first row, or the one JSON object that the file is; None where there is none.
    `names` are those of a folder's entries, or of an archive's files.
    """

    path: Path
    kind: Kind
    first: Any = None
    names: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the first row or of the object; empty where it has none."""
        return frozenset(self.first) if isinstance(self.first, Mapping) else frozenset()


def look_at(path: Path) -> Seen:
    """Look at a file or folder. Raises OSError where it cannot be read."""
    if path.is_dir():
        return Seen(path, "a folder", names=tuple(sorted(entry.name for entry in path.iterdir())))
    with path.open("rb") as file:
        start = file.read(len(_ZIP))
    if start == _ZIP:
        return Seen(path, "a zip archive", names=_members(path))
    if start == _PARQUET:
        return Seen(path, "Parquet")
    try:
        text = read_text(path)
    except ValueError:
        return Seen(path, "no text")
    return _text(path, text)


def _members(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ()


def _text(path: Path, text: str) -> Seen:
    stripped = text.lstrip()
    if not stripped:
        return Seen(path, "an empty file")
    if stripped[0] == "[":
        return Seen(path, "a JSON list", _parsed(stripped[1:].lstrip()))
    line, _, rest = stripped.partition("\n")
    if stripped[0] == "{":
        row = _parsed(line, whole=True)
        if row is not None and rest.strip():
            return Seen(path, "JSON lines", row)
        document = row or _parsed(stripped, whole=True)
        if document is not None:
            return Seen(path, "a JSON object", document)
        # its first line is damaged, or it is no JSON at all
        return Seen(path, "text")
    header = next(csv.reader(io.StringIO(line)), [])
    if len(header) > 1:
        return Seen(path, "CSV", dict.fromkeys(header))
    return Seen(path, "text")


def _parsed(text: str, *, whole: bool = False) -> Any:
    """Parse the first JSON value of a text, or the whole text; None where that is none."""
    try:
        return json.loads(text) if whole else json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None
