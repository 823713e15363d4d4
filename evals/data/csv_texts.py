"""Columns of a CSV that are text, though its reader would take their cells for something else.

Such a reader makes 1234 of 01234, a truth value of True, and nothing of the word NA.
"""

import csv
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stagelift.evals.data.answers import number_text

# columns that are text, also where every cell is a number: 007 stays 007
_ALWAYS = (
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "text",
    "instruction",
    "output",
    "response",
)
# those that are text where a cell would be read as something else
_ASKED = ("question", "query", "problem", "solution")
# those whose decimals are numbers to a scorer
_RIGHT = ("answer", "target")
# those of which a row may have none, and which say so in many ways
_BESIDE = ("input", "context", "system", "system_prompt", "history")
_TRUTHS = {"True", "TRUE", "true", "False", "FALSE", "false"}
_MISSING = {
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
}
_DECIMAL = re.compile(r"[+-]?\d+\.\d+")


def how_to_read(file: Path, renamed: Mapping[str, str]) -> dict[str, Any]:
    """Return a reader's settings for a CSV; `renamed` has columns that go by another name."""
    kept = rewritten_columns(file, renamed)
    texts = {*(renamed.get(name, name) for name in _ALWAYS), *kept}
    how: dict[str, Any] = {"converters": dict.fromkeys(sorted(texts), str)}
    if kept:
        missing = sorted({"", *_MISSING})
        of_columns = {name: [""] if name in kept else missing for name in _header(file)}
        how |= {"keep_default_na": False, "na_values": of_columns}
    return how


def rewritten_columns(file: Path, renamed: Mapping[str, str]) -> set[str]:
    """Name the columns of text in which a reader would make something else of a cell."""
    names = {renamed.get(name, name): name for name in (*_ALWAYS, *_ASKED, *_RIGHT, *_BESIDE)}
    cells = _cells(file, names)
    return {column for column in cells if _is_rewritten(names[column], cells[column])}


def _is_rewritten(name: str, cells: set[str]) -> bool:
    said = cells - _MISSING - {""}
    if name in _ALWAYS:
        return bool(cells & _MISSING)
    if said and said <= _TRUTHS:
        return True
    if all(map(_is_number, said)):
        return any(_is_another_number(name, cell) for cell in said)
    return name not in _BESIDE and bool(cells & _MISSING)


def _is_number(cell: str) -> bool:
    try:
        return bool(float(cell) == float(cell))
    except ValueError:
        return False


def _is_another_number(name: str, cell: str) -> bool:
    """Say whether a number is written in a way that is lost, which decimals of answers may be."""
    if name in _RIGHT and _DECIMAL.fullmatch(cell):
        return False
    return number_text(int(cell) if cell.isdecimal() else float(cell)) != cell


def _cells(file: Path, columns: Collection[str]) -> dict[str, set[str]]:
    """Return what the cells of columns hold; nothing of a file that its reader will refuse."""
    csv.field_size_limit(sys.maxsize)
    found: dict[str, set[str]] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = (row for row in csv.reader(text) if any(row))
            header = next(rows, [])
            places = {at: name for at, name in enumerate(header) if name in columns}
            for row in rows:
                for at, name in places.items():
                    found.setdefault(name, set()).add(row[at] if at < len(row) else "")
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return found


def _header(file: Path) -> list[str]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        return next((row for row in csv.reader(text) if any(row)), [])
