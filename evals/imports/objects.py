"""Files that are one JSON object, and the lists of entries in them; errors name file and entry."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stagelift.evals.files import read_text

Entry = TypeVar("Entry", bound=BaseModel)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ValueError, naming the file, where it is none or too large."""
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no JSON object.")
    return content


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
            json.dumps(value, ensure_ascii=False).encode()
            yield kind.model_validate(value)
        # half of a surrogate pair: JSON can say it, no file of ours can hold it
        except UnicodeEncodeError as error:
            raise ValueError(f"{path}, {what} {number} holds text that is not Unicode.") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}, {what} {number}: {place}: {first['msg']}.") from error
