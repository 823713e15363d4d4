"""Rows of a table, whichever file it is in: JSON lines, a JSON list, JSON columns, CSV, Parquet."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stagelift.evals.bounded_text import LARGEST_TEXT, LONGEST_LINE, read_text, refuse_bomb
from stagelift.evals.imports.seen import csv_header, json_columns, look_at, parquet_columns
from stagelift.evals.strict_json import parse_json, read_rows

# of a table; each of its rows becomes several records in memory
MOST_ROWS = 1_000_000
# a cell may be a long response
_LONGEST_CELL = 1 << 27
# of Parquet, how many rows are in memory before what they come to is known
_BATCH = 64

Numbered = tuple[int, Any]


class MalformedRow(NamedTuple):
    """What stands in the place of a row that cannot be read, and why."""

    problem: str


def table_rows(path: Path) -> Iterator[Numbered]:
    """Yield the rows of a file, a MalformedRow among them, with their lines, or places from 1.

    Raises ValueError, naming the file, where it is no table, or one of more rows than are read.
    """
    for place, (number, row) in enumerate(_rows(path), start=1):
        if place > MOST_ROWS:
            raise _too_many_rows(path)
        yield number, row


def _rows(path: Path) -> Iterator[Numbered]:
    seen = look_at(path)
    match seen.kind:
        case "CSV":
            return _csv_rows(path)
        case "Parquet":
            return _parquet_rows(path)
        case "JSON columns":
            return _column_rows(path)
        case "a JSON object":
            # it is one row
            return iter([(1, parse_json(read_text(path, LONGEST_LINE), str(path), nan=True))])
        case _:
            return read_rows(path, malformed=_malformed)


def _malformed(error: ValueError) -> MalformedRow:
    """Say what is wrong without the file and line, which are said of all such rows."""
    _, _, problem = str(error).partition(" is not valid JSON: ")
    return MalformedRow(f"not valid JSON ({problem.rstrip('.')})")


def _column_rows(path: Path) -> Iterator[Numbered]:
    columns = json_columns(parse_json(read_text(path), str(path), nan=True))
    assert columns is not None, "a file of another kind"
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r:.60} {length}" for name, length in lengths.items())
        raise ValueError(f"{path} holds columns of different lengths ({listed}).")
    for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
        yield number, dict(zip(columns, values, strict=True))


def _csv_rows(path: Path) -> Iterator[Numbered]:
    """Yield rows by their first line; every cell is text."""
    blank, text = _without_blank_lines(read_text(path))
    _refuse_nul(path, text, blank)
    header, delimiter = csv_header(text)
    twice, times = Counter(header).most_common(1)[0] if header else ("", 1)
    if times > 1:
        raise ValueError(f"{path} has the column '{twice}' twice in its header.")
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        for line, row in _cells(reader, header):
            yield blank + line, row
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV that can be read: {error}.") from error
    finally:
        csv.field_size_limit(before)


def _refuse_nul(path: Path, text: str, blank: int) -> None:
    """A spreadsheet writes none; other readers end a cell or the file at it."""
    before, nul, _ = text.partition("\0")
    if nul:
        line = blank + before.count("\n") + 1
        raise ValueError(f"{path}, line {line} holds a NUL, which is no text. Write the file anew.")


def _without_blank_lines(text: str) -> tuple[int, str]:
    """Count the lines before the header that hold nothing, and leave them out."""
    start = text[: len(text) - len(text.lstrip())]
    return start.count("\n"), text[start.rfind("\n") + 1 :]


def _cells(reader: Any, header: list[str]) -> Iterator[Numbered]:
    next(reader)
    first_line = reader.line_num + 1
    for cells in reader:
        if len(cells) == len(header):
            yield first_line, dict(zip(header, cells, strict=True))
        elif cells:
            yield first_line, MalformedRow(f"{len(cells)} cells, and the header has {len(header)}")
        first_line = reader.line_num + 1


def _parquet_rows(path: Path) -> Iterator[Numbered]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    parquet_columns(path)
    try:
        with ParquetFile(path) as file:
            _refuse_too_large(path, file.metadata)
            yield from enumerate(_unpacked_rows(path, file), start=1)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no Parquet file that can be read: {error}.") from error


def _unpacked_rows(path: Path, file: Any) -> Iterator[Any]:
    """A dictionary may hold a cell once for all rows: what they come to is counted."""
    packed, size = path.stat().st_size, 0
    for batch in file.iter_batches(batch_size=_BATCH):
        rows = batch.to_pylist()
        texts = (cell for row in rows for cell in row.values() if isinstance(cell, str | bytes))
        size += max(batch.nbytes, sum(map(len, texts)))
        refuse_bomb(path, packed, size)
        if size > LARGEST_TEXT:
            raise _too_large(path, size)
        yield from rows


def _refuse_too_large(path: Path, metadata: Any) -> None:
    if metadata.num_rows > MOST_ROWS:
        raise _too_many_rows(path)
    sizes = [metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)]
    if sum(sizes) > LARGEST_TEXT:
        raise _too_large(path, sum(sizes))


def _too_large(path: Path, size: int) -> ValueError:
    return ValueError(
        f"{path} holds {size / 2**20:,.0f} MiB, and {LARGEST_TEXT / 2**20:,.0f} is the most that "
        "is read. Split it."
    )


def _too_many_rows(path: Path) -> ValueError:
    return ValueError(f"{path} has more than {MOST_ROWS:,} rows, the most that is read. Split it.")
