"""Files that are one JSON object, and the lists of entries in them; errors name file and entry."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stagelift.evals.strict_json import read_json

Entry = TypeVar("Entry", bound=BaseModel)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; NaN in it is what other tools write for what has no value.

    Raises ValueError, naming the file, where it is none or too large.
    """
    return read_json(path, nan=True)


def entries_of(path: Path, values: object, kind: type[Entry], what: str) -> list[Entry]:
    """Read a list in a file. Raises ValueError, naming the file and the number of an entry, where
    it is no list or an entry is not of its kind.
    """
    if not isinstance(values, list):
        raise ValueError(f"{path} holds no list of {what}s.")
    return list(_entries(path, values, kind, what))


def _entries(path: Path, values: Iterable[Any], kind: type[Entry], what: str) -> Iterator[Entry]:
    for number, value in enumerate(values, start=1):
        try:
            yield kind.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}, {what} {number}: {place}: {first['msg']}.") from error
