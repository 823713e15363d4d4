"""Answers of rows as text: what is written as a number is its text, without loss.

JSON, CSV and Parquet all give digits as numbers. A whole number has no decimal point, whatever held
it, since 2 and 2.0 are one answer; other numbers have the digits that give them back. True is no
number, nor is NaN.
"""

import math
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagelift.evals.strict_json import read_rows

if TYPE_CHECKING:
    from datasets import Dataset

# beyond it a table's numbers are no longer those of the file
_EXACT = 2.0**53


def number_text(value: Any) -> str | None:
    """Write a number as text: 2 for 2 and 2.0, 0.1, 1000000 for 1e6; None for what is none."""
    match value:
        case bool():
            return None
        case Integral():
            return str(int(value))
        case Decimal():
            return f"{value.normalize():f}" if value.is_finite() else None
        case Fraction():
            return str(value)
        case Real():
            if not math.isfinite(value):
                return None
            return str(int(float(value))) if float(value).is_integer() else str(value)
    return None


def answer_text(value: Any) -> str | None:
    """Return a row's answer as text; None where it is neither text nor a number."""
    if isinstance(value, str):
        return value
    return number_text(value)


def with_exact_answers(dataset: "Dataset", file: Path, column: str) -> "Dataset":
    """Return rows of a JSON file with the answers in a column as text, where a table has rounded
    them: whole numbers of more than 53 bits.
    """
    dtype = getattr(dataset.features.get(column), "dtype", None)
    if dtype != "float64" or not any(abs(value or 0) >= _EXACT for value in dataset[column]):
        return dataset
    written = [answer_text(row.get(column)) for _, row in read_rows(file)]
    if len(written) != len(dataset):
        return dataset
    return dataset.remove_columns(column).add_column(column, written)
