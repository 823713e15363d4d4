"""Text of files from outside: in UTF-8, gzipped or not, and never more than memory holds.

What a file holds is counted while it is unpacked: a few bytes of gzip can hold any number of them.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

# more text than any file of rows that memory holds as records
LARGEST_TEXT = 1 << 30
# of one line, which is one row
LONGEST_LINE = 1 << 26
MOST_LINES = 10_000_000
_PIECE = 1 << 16
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """Read a whole file.

    Raises ValueError, naming it, where it is no text, or is more than `largest` bytes; OSError
    where it cannot be opened.
    """
    with _unpacked(path) as file:
        content = file.read(largest + 1)
        if len(content) > largest:
            raise _too_large(path, largest)
        return content.decode("utf-8-sig")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends, blank ones too.

    Raises ValueError as `read_text` does, and where a line is too long or there are too many.
    """
    with _unpacked(path) as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        left = LARGEST_TEXT
        for number in range(1, MOST_LINES + 1):
            line = file.readline(LONGEST_LINE + 1)
            if not line:
                return
            left -= len(line)
            if len(line) > LONGEST_LINE:
                raise ValueError(
                    f"{path}, line {number} is longer than {LONGEST_LINE / 2**20:,.0f} MiB, the "
                    "most that is read of a line."
                )
            if left < 0:
                raise _too_large(path, LARGEST_TEXT)
            yield _decoded(line, path, number)
        if file.read(1):
            raise ValueError(
                f"{path} has more than {MOST_LINES:,} lines, the most that is read. Split it."
            )


def first_character(path: Path) -> str:
    """Return the first character that is no white space, "" where there is none.

    Raises ValueError as `read_text` does.
    """
    with _unpacked(path) as file:
        for _ in range(LARGEST_TEXT // _PIECE):
            piece = file.read(_PIECE)
            text = piece.removeprefix(codecs.BOM_UTF8).lstrip()
            if text or not piece:
                # part of a longer character is no bracket either
                return text[:1].decode(errors="replace")
    raise _too_large(path, LARGEST_TEXT)


@contextmanager
def _unpacked(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """Open a file of text. What unpacking and decoding say of it becomes a sentence."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file.")
    with path.open("rb") as file:
        start = file.read(4)
    if start == _ZIP:
        raise ValueError(
            f"{path} is a zip archive, as Inspect's .eval logs are, and not a file of rows."
        )
    if start.startswith(_OTHER_ENCODINGS):
        raise ValueError(f"{path} is text in UTF-16. Save it in UTF-8.")
    try:
        with gzip.open(path, "rb") if start.startswith(_GZIP) else path.open("rb") as file:
            yield file
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not text in UTF-8, gzipped or not: {error}.") from error


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {number} is not text in UTF-8: {error}.") from error


def _too_large(path: Path, largest: int) -> ValueError:
    return ValueError(
        f"{path} holds more than {largest / 2**20:,.3g} MiB of text, which is the most that is "
        "read. Split it."
    )
