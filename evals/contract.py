"""The contract of an evaluation, compared: which of its fields differs.

A contract is everything that makes two evaluations comparable, field by field.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A field that two contracts disagree about, and what each says; None where it has none."""

    field: str
    mine: Any
    theirs: Any


def first_difference(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Difference | None:
    """Return the first field, by name, in which two contracts differ; None where they agree."""
    for field in sorted({*mine, *theirs}):
        if mine.get(field) != theirs.get(field):
            return Difference(field, mine.get(field), theirs.get(field))
    return None
