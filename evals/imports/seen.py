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

from stagelift.evals.bounded_text import read_text

Kind = Literal[
    "a folder",
    "JSON lines",
    "a JSON list",
    "a JSON object",
    "JSON columns",
    "CSV",
    "Parquet",
    "a zip archive",
    "an empty file",
    "text",
    "no text",
]
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"
_DELIMITERS = ",\t;"


@dataclass(frozen=True)
class Seen:
    """A file or folder at first sight.

    `first` is the first row, or the one JSON object that the file is; None where there is none. Of
    columns, CSV and Parquet its keys count, and not its values. `names` are those of a folder's
    entries, or of an archive's files.
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
        return _parquet(path)
    try:
        text = read_text(path)
    except ValueError:
        return Seen(path, "no text")
    return _text(path, text.lstrip())


def csv_header(text: str) -> tuple[list[str], str]:
    """Return the names in the first line of a CSV, and what parts them: a comma, tab or ;."""
    line = text.split("\n", 1)[0].rstrip("\r")
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter), []), delimiter
    except csv.Error:
        return [], delimiter


def json_columns(document: Any) -> dict[str, list[Any]] | None:
    """Return the columns of a JSON object: lists, or as pandas writes them ({"0": ...}).

    None where it is something else.
    """
    if not isinstance(document, dict) or len(document) < 2:
        return None
    columns = list(document.values())
    if all(isinstance(column, list) for column in columns):
        return document
    if all(isinstance(column, dict) and column for column in columns):
        places = columns[0].keys()
        if all(place.isdecimal() for place in places) and all(
            column.keys() == places for column in columns
        ):
            return {name: list(column.values()) for name, column in document.items()}
    return None


def parquet_columns(path: Path) -> list[str]:
    """Name the columns of a Parquet file. Raises ValueError, naming it, where it cannot be read."""
    import pyarrow
    from pyarrow.parquet import read_schema

    try:
        return list(read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no Parquet file that can be read: {error}.") from error


def _members(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ()


def _parquet(path: Path) -> Seen:
    try:
        return Seen(path, "Parquet", dict.fromkeys(parquet_columns(path)))
    except ValueError:
        return Seen(path, "Parquet")


def _text(path: Path, text: str) -> Seen:
    if not text:
        return Seen(path, "an empty file")
    if text[0] == "[":
        return Seen(path, "a JSON list", _first_value(text[1:].lstrip()))
    if text[0] == "{":
        return _objects(path, text)
    header, _ = csv_header(text)
    is_csv = len(header) > 1 or {".csv", ".tsv"} & {*path.suffixes}
    return Seen(path, "CSV", dict.fromkeys(header)) if is_csv else Seen(path, "text")


def _objects(path: Path, text: str) -> Seen:
    """Tell rows from one object, which may be columns, and from what is damaged."""
    line, _, rest = text.partition("\n")
    if rest.strip():
        row = _value(line)
        if row is not None:
            return Seen(path, "JSON lines", row)
    document = _value(text)
    if document is None:
        # its first line is damaged; what follows says which rows these are
        following = next(filter(None, map(_value, rest.split("\n", 20)[:20])), None)
        return Seen(path, "JSON lines" if following else "text", following)
    columns = json_columns(document)
    if columns is not None:
        return Seen(path, "JSON columns", dict.fromkeys(columns))
    return Seen(path, "a JSON object", document)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first_value(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None
