"""A JSON file that is one object: a table column by column, as pandas and a dict of lists are
written, or rows under a name.
"""

import json
from pathlib import Path
from typing import Any

from stagelift.evals.bounded_text import read_text
from stagelift.evals.strict_json import parse_json

Row = dict[str, Any]
# what lists of rows are called
_ROWS = ("data", "rows", "examples", "instances", "records", "train")


def table_rows(file: Path) -> list[Row] | None:
    """Return the rows of a file that is one object; None for lists and JSON lines.

    An object whose values are no columns is one row. Raises ValueError, in a sentence, where it is
    not JSON, or columns are of different lengths.
    """
    if not is_one_object(file):
        return None
    content = parse_json(read_text(file), str(file), nan=True)
    return _rows(content, str(file)) if isinstance(content, dict) else None


def is_one_object(file: Path) -> bool:
    """Say whether a file can hold one object and nothing else.

    An object that ends in its first line is one of JSON lines, unless nothing comes after it in a
    file that does not say it holds lines.
    """
    if file.suffix != ".json":
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "")
        if not first.lstrip().startswith("{"):
            return False
        follows = any(line.strip() for line in lines)
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        # it goes on, or is no JSON, which its reader says better
        return follows
    return not follows


def _rows(content: Row, place: str) -> list[Row]:
    if set(content) >= {"columns", "data"} and _are_lists(content["data"]):
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]
    under = [value for name, value in content.items() if name in _ROWS]
    if len(under) == 1 and _are_rows(under[0]):
        return list(under[0])
    columns = {name: _column(value) for name, value in content.items()}
    if not columns or any(column is None for column in columns.values()):
        return [content]
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name!r:.40} {length}" for name, length in list(lengths.items())[:8])
        raise ValueError(f"{place} has columns of different lengths: {counted}.")
    return [
        dict(zip(columns, row, strict=True))
        for row in zip(*(column or [] for column in columns.values()), strict=True)
    ]


def _column(value: Any) -> list[Any] | None:
    """Return a column's values; None where it is a value of one row."""
    if isinstance(value, dict) and value and all(str(name).isdecimal() for name in value):
        return list(value.values())
    if isinstance(value, list) and not _are_turns(value):
        return value
    return None


def _are_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, list) for entry in value)


def _are_rows(value: Any) -> bool:
    if not isinstance(value, list) or not value or _are_turns(value):
        return False
    return all(isinstance(entry, dict) for entry in value)


def _are_turns(value: list[Any]) -> bool:
    """Say whether a list is the conversation of one row."""
    return any(isinstance(entry, dict) and {"role", "from"} & set(entry) for entry in value)
