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
from typing import Any, Literal, NamedTuple

from stagelift.evals.bounded_text import LONGEST_LINE, read_start, read_text
from stagelift.evals.strict_json import parse_json, refuse_many_values

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
# of a file, what mostly holds its first row
_START = 1 << 20


@dataclass(frozen=True)
class Seen:
    """A file or folder at first sight.

    `first` is the first row, or of one JSON object, columns, CSV and Parquet the keys, and the keys
    of objects in it; None where there is none. `names` are those of a folder's entries, or of an
    archive's files. `problem` is the sentence that says why nothing could be seen.
    """

    path: Path
    kind: Kind
    first: Any = None
    names: tuple[str, ...] = ()
    problem: str | None = None

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
        return _text(path, _Start(*read_start(path, _START)))
    except ValueError as error:
        return Seen(path, "no text", problem=str(error))


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
        said = str(error).rstrip(".")
        raise ValueError(f"{path} is no Parquet file that can be read: {said}.") from error


def _members(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ()


def _parquet(path: Path) -> Seen:
    try:
        return Seen(path, "Parquet", dict.fromkeys(parquet_columns(path)))
    except ValueError as error:
        return Seen(path, "Parquet", problem=str(error))


class _Start(NamedTuple):
    """The first text of a file, and whether there is no more."""

    text: str
    is_all: bool


def _text(path: Path, start: _Start) -> Seen:
    if not start.text:
        return Seen(path, "an empty file")
    if start.text[0] == "[":
        return Seen(path, "a JSON list", _first_in_list(path, start))
    if start.text[0] == "{":
        return _objects(path, start)
    header, _ = csv_header(start.text)
    is_csv = len(header) > 1 or {".csv", ".tsv"} & {*path.suffixes}
    return Seen(path, "CSV", dict.fromkeys(header)) if is_csv else Seen(path, "text")


def _first_in_list(path: Path, start: _Start) -> Any:
    first = _first_value(start.text[1:].lstrip())
    if first is None and not start.is_all:
        first = _first_value(read_start(path, LONGEST_LINE)[0][1:].lstrip())
    return first


def _objects(path: Path, start: _Start) -> Seen:
    """Tell rows from one object, which may be columns, and from what is damaged."""
    if "\n" not in start.text and not start.is_all:
        start = _Start(*read_start(path, LONGEST_LINE))
    line, _, rest = start.text.partition("\n")
    if rest.strip():
        row = _value(line)
        if row is not None:
            return Seen(path, "JSON lines", row)
    text = start.text if start.is_all else read_text(path)
    refuse_many_values(text, str(path))
    document = _value(text)
    if document is None:
        # its first line is damaged; what follows says which rows these are
        following = next(filter(None, map(_value, rest.split("\n", 20)[:20])), None)
        return Seen(path, "JSON lines", following) if following else _no_json(path, text)
    columns = json_columns(document)
    if columns is not None:
        return Seen(path, "JSON columns", dict.fromkeys(columns))
    return Seen(path, "a JSON object", {key: _keys(value) for key, value in document.items()})


def _keys(value: Any) -> dict[str, None] | None:
    return dict.fromkeys(value) if isinstance(value, dict) else None


def _no_json(path: Path, text: str) -> Seen:
    try:
        parse_json(text, str(path), nan=True)
    except ValueError as error:
        return Seen(path, "text", problem=str(error))
    return Seen(path, "text")


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
