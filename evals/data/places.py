"""Where a row stands in its file, as an editor counts: the line of JSON lines and CSV, the index in
a JSON list. Blank lines, the header and cells of several lines count.
"""

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from stagelift.evals.data.json_tables import is_one_object
from stagelift.evals.data.source import Source, file_row, local_file


def place(source: Source, index: int) -> str:
    """Name a row of a source: its number from 1, and where it stands in a file that has lines.

    `index` counts from 0 the rows that the source has, a slice of its split being one.
    """
    index = file_row(source, index)
    name = f"Row {index + 1} of dataset '{source.path}'"
    file = local_file(source)
    where = None if file is None else _where(file, index)
    if where is None or file is None:
        return name
    within = "" if file == Path(source.path) else f" of {file.name}"
    return f"{name} ({where}{within})"


def _where(file: Path, index: int) -> str | None:
    try:
        if file.suffix == ".csv":
            line = next(islice(_csv_lines(file), index, None), None)
        elif file.suffix in (".jsonl", ".json"):
            return _where_in_json(file, index)
        else:
            return None
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return None if line is None else f"line {line}"


def _where_in_json(file: Path, index: int) -> str | None:
    if is_one_object(file):
        return None
    with file.open(encoding="utf-8-sig") as lines:
        filled = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        first = next(filled, (1, ""))
        if first[1].lstrip().startswith("["):
            return f"index {index}"
        line = first if index == 0 else next(islice(filled, index - 1, None), None)
    return None if line is None else f"line {line[0]}"


def _csv_lines(file: Path) -> Iterator[int]:
    """Yield the line on which each row begins, below the header."""
    csv.field_size_limit(sys.maxsize)
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader, ended, is_header = csv.reader(text), 0, True
        for row in reader:
            begins, ended = ended + 1, reader.line_num
            is_blank = not row or (len(row) == 1 and row[0].isspace())
            if not is_blank and not is_header:
                yield begins
            is_header = is_header and is_blank
