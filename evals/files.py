"""Records on disk: one JSON object a line, or one a file.

Whole files and folders are replaced in one step; an append is safe against a kill in mid-line. No
text is written with a credential in it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from stagelift.evals.bounded_text import LONGEST_LINE
from stagelift.evals.credentials import short_repr, without_credentials
from stagelift.evals.disk_space import named_if_full
from stagelift.evals.strict_json import parse_json, read_json
from stagelift.evals.whole import write_bytes

AnyRecord = TypeVar("AnyRecord", bound=BaseModel)
_REMEDY = "Repair it, or move its folder away."
# bytes of a record: a response is a line, which JSON may write longer
_LONGEST = 2 * LONGEST_LINE
# the hash of a JSON object, in it
_SEAL = "sha256"


class SealError(ValueError):
    """A file is not what was written: its own hash differs."""


class LaterSchemaError(ValueError):
    """A file is not damaged, but of a later stagelift."""


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text`, credentials left out, in one step."""
    write_bytes(path, without_credentials(text).encode())


def write_json(path: Path, value: object) -> None:
    write_text(path, json_text(value))


def write_record(path: Path, record: BaseModel) -> None:
    """Replace `path` by one record."""
    write_text(path, record_text(record))


def record_text(record: BaseModel) -> str:
    """Write a record as a file has it, credentials left out."""
    return without_credentials(record.model_dump_json(indent=2)) + "\n"


def write_numbered(path: Path, content: dict[str, Any], schema: int) -> None:
    """Replace `path` by a JSON object that says which schema it follows, and its own hash."""
    # the hash is of what is stored
    stored = json.loads(without_credentials(json_text({"schema": schema, **content})))
    write_json(path, {**stored, _SEAL: _seal(stored)})


def json_text(value: object) -> str:
    """Write data as a file has it, its keys in order."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _seal(content: dict[str, Any]) -> str:
    # half a character in a damaged file is no reason to end here
    return hashlib.sha256(json_text(content).encode(errors="surrogatepass")).hexdigest()


def write_records(path: Path, records: Iterable[BaseModel]) -> None:
    write_text(path, records_text(records))


def records_text(records: Iterable[BaseModel]) -> str:
    """Write records as a file has them, one a line."""
    return "".join(f"{record.model_dump_json()}\n" for record in records)


def append_records(path: Path, records: Iterable[BaseModel]) -> None:
    """Append records and fsync them.

    A kill in the middle leaves at most one torn last line, which reading drops.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with named_if_full(path), path.open("ab+") as file:
        _drop_torn_line(file)
        text = "".join(f"{record.model_dump_json()}\n" for record in records)
        file.write(without_credentials(text).encode())
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
    """Read a file that holds one record. Raises ValueError, naming the file, where it does not.

    A key that stands twice, and a number that is none, were never written.
    """
    content = path.read_bytes()
    record = _parse(content, kind, str(path))
    try:
        parse_json(content.decode(), str(path))
    except ValueError as error:
        raise ValueError(f"{error} {_REMEDY}") from error
    return record


def read_numbered(
    path: Path,
    kind: type[AnyRecord],
    schema: int,
    completed: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> AnyRecord:
    """Read a record of schema `schema` or earlier; one without a number is of the first.

    `completed` adds what is not stored, or was not in earlier schemas. Raises ValueError, naming
    the file and what is wrong with it: also where it is not what was written.
    """
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error} {_REMEDY}") from error
    # earlier code wrote none
    is_sealed, seal = _SEAL in content, content.pop(_SEAL, None)
    if is_sealed and seal != _seal(content):
        raise SealError(f"{path} is not what was written: its sha256 differs. {_REMEDY}")
    number = content.pop("schema", 1)
    if not isinstance(number, int) or number > schema:
        raise LaterSchemaError(
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
            return f"'{place}' is {short_repr(problem['input'])} ({problem['msg']})"


def _parse(text: bytes, kind: type[AnyRecord], place: str) -> AnyRecord:
    if len(text) > _LONGEST:
        raise ValueError(
            f"{place} is damaged: it has {len(text) / 2**20:,.0f} MiB, and {_LONGEST / 2**20:,.0f} "
            "is the most of a record. Delete its folder and run again."
        )
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ValueError(
            f"{place} is damaged: no {kind.__name__} ({reason}). Delete its folder and run again."
        ) from error
