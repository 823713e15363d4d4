"""`--columns response=output,target=gold`: what the columns of a file are called here.

A pair says first the name that is known here, then the file's own.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from stagelift.evals.nearest import did_you_mean

# the name known here -> the file's own
Columns = Mapping[str, str]
NO_COLUMNS: Columns = MappingProxyType({})


def parse_columns(text: str, known: Collection[str]) -> Columns:
    """Read pairs of names.

    Raises ValueError where one is no pair, is not `known`, or comes twice.
    """
    columns: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, own = (part.strip() for part in pair.partition("="))
        if not (name and equals and own):
            raise ValueError(
                f"--columns has '{pair.strip()}', which is no pair of names. Write it as "
                "response=output,target=gold: the name known here first, then the file's own."
            )
        if name not in known:
            raise ValueError(
                f"--columns names '{name}', which is not known. Known: {', '.join(known)}. The "
                f"name known here comes first, then the file's own.{did_you_mean(name, known)}"
            )
        if name in columns:
            raise ValueError(f"--columns says twice what '{name}' is. Leave one of the two out.")
        columns[name] = own
    return columns


def renamed(row: Any, columns: Columns) -> Any:
    """Return a row under the names known here; a column that was mapped counts once."""
    if not columns or not isinstance(row, Mapping):
        return row
    taken = {*columns, *columns.values()}
    kept = {name: value for name, value in row.items() if name not in taken}
    return kept | {name: row[own] for name, own in columns.items() if own in row}


def refuse_missing(place: str, columns: Columns, present: Collection[str]) -> None:
    """Raise ValueError where a file lacks a column that was mapped; `present` are those it has."""
    missing = [own for own in columns.values() if own not in present]
    if missing:
        raise ValueError(
            f"{place} has no column '{missing[0]}', which --columns names. Its columns: "
            f"{', '.join(sorted(present))}."
        )
