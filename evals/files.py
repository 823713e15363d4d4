"""Records on disk: one JSON object a line, or one a file.

Whole files and folders are replaced in one step; an append is safe against a kill in mid-line.
"""

import gzip
import json
import os
import reprlib
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

AnyRecord = TypeVar("AnyRecord", bound=BaseModel)
# more text than any file of rows that memory holds as records
LARGEST_TEXT = 1 << 30
_REMEDY = "Repair it, or move its folder away."


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` in one step: write beside it, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_record(path: Path, record: BaseModel) -> None:
    """Replace `path` by one record."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def write_numbered(path: Path, content: dict[str, Any], schema: int) -> None:
    """Replace `path` by a JSON object that says which schema it follows."""
    write_json(path, {"schema": schema, **content})


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill beside `path`, which it replaces in one rename."""
    beside = path.with_name(f"{path.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    yield beside
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)


def write_records(path: Path, records: Iterable[BaseModel]) -> None:
    write_text(path, "".join(f"{record.model_dump_json()}\n" for record in records))


def append_records(path: Path, records: Iterable[BaseModel]) -> None:
    """Append records and fsync them.

    A kill in the middle leaves at most one torn last line, which reading drops.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        _drop_torn_line(file)
        file.write("".join(f"{record.model_dump_json()}\n" for record in records).encode())
        file.flush()
        os.fsync(file.fileno())


def _drop_torn_line(file: BinaryIO) -> None:
    """Cut off what a kill left after the last newline."""
    if file.seek(0, os.SEEK_END) == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def read_records(path: Path, kind: type[AnyRecord]) -> list[AnyRecord]:
    """Read a file of records.

    A missing file is empty, and a torn last line (without a newline) is left out.
    """
    if not path.exists():
        return []
    # bytes: a kill may have torn the last line in the middle of a character
    lines = path.read_bytes().split(b"\n")
    return [
        _parse(line, kind, f"{path}, line {number}")
        for number, line in enumerate(lines[:-1], start=1)
        if line.strip()
    ]


def read_record(path: Path, kind: type[AnyRecord]) -> AnyRecord:
    """Read a file that holds one record. Raises ValueError, naming the file, where it does not."""
    return _parse(path.read_bytes(), kind, str(path))


def read_numbered(
    path: Path,
    kind: type[AnyRecord],
    schema: int,
    completed: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> AnyRecord:
    """Read a record of schema `schema` or earlier; one without a number is of the first.

    `completed` adds what is not stored, or was not in earlier schemas. Raises ValueError, naming
    the file and what is wrong with it.
    """
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error} {_REMEDY}") from error
    number = content.pop("schema", 1)
    if not isinstance(number, int) or number > schema:
        raise ValueError(
            f"{path} has schema {number}, and this stagelift reads up to {schema}: a later one "
            "wrote it. Update stagelift, or move its folder away."
        )
    try:
        return kind.model_validate_json(json.dumps(completed(content)), strict=True)
    except ValidationError as error:
        raise ValueError(f"{path} cannot be read: {_problem(error)}. {_REMEDY}") from error


def _problem(error: ValidationError) -> str:
    """Say the first thing that is wrong with a record: where, and what."""
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    match problem["type"]:
        case "missing":
            return f"'{place}' is missing"
        case "extra_forbidden":
            return f"'{place}' is not known"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"'{place}' is {reprlib.repr(problem['input'])} ({problem['msg']})"


def _parse(text: bytes, kind: type[AnyRecord], place: str) -> AnyRecord:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ValueError(
            f"{place} is damaged: no {kind.__name__} ({reason}). Delete its folder and run again."
        ) from error


def read_rows(
    path: Path, malformed: Callable[[ValueError], Any] | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a JSON list or of JSON lines (`.gz` or not), numbered from 1.

    A number is that of the line, or in a list the position.

    Raises ValueError, naming the file and line, where it is not JSON; with `malformed` a bad line
    yields what that returns.
    """
    text = read_text(path)
    if text.lstrip()[:1] == "[":
        yield from enumerate(parse_json(text, str(path)), start=1)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, parse_json(line, f"{path}, line {number}")
            except ValueError as error:
                if malformed is None:
                    raise
                yield number, malformed(error)


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """Read text in UTF-8, gzipped or not.

    Raises ValueError, naming the file, where it is none, or is more than `largest` bytes.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04":
        raise ValueError(
            f"{path} is a zip archive, as Inspect's .eval logs are, and not a file of rows."
        )
    opened = gzip.open if start.startswith(b"\x1f\x8b") else Path.open
    try:
        with opened(path, "rb") as file:
            # a few bytes of gzip can hold any number of them
            content = file.read(largest + 1)
        if len(content) > largest:
            raise ValueError(
                f"{path} holds more than {largest / 2**20:,.0f} MiB of text, which is the most "
                "that is read. Split it."
            )
        return content.decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not text in UTF-8, gzipped or not: {error}.") from error


def parse_json(text: str, place: str) -> Any:
    """Parse JSON of which no key is there twice. Raises ValueError, naming the `place`."""
    try:
        return json.loads(text, object_pairs_hook=keys_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} is not valid JSON: {error}.") from error


def keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: readers would differ in which value they take."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r:.60} is there twice")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ValueError, naming the file, where it is not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} does not hold a JSON object.")
    return value
