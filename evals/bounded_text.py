"""Text of files from outside: in UTF-8, gzipped or not, and never more than memory holds.

What a file holds is counted while it is unpacked: a few bytes of gzip can hold any number of them.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

# more text than any file of rows that memory holds as records
LARGEST_TEXT = 1 << 30
# of one line, which is one row
LONGEST_LINE = 1 << 26
MOST_LINES = 10_000_000
# text is seldom packed to less than a twentieth; how much there is before that is asked
_MOST_PACKED, _NEVER_TOO_MUCH = 100, 1 << 26
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


def read_start(path: Path, longest: int) -> tuple[str, bool]:
    """Read the first `longest` bytes or so that follow white space, and whether that is all.

    Raises ValueError as `read_text` does.
    """
    with _unpacked(path) as file:
        start = _after_blanks(file, path) + file.read(longest)
        is_all = not file.read(1)
        return codecs.getincrementaldecoder("utf-8")().decode(start, final=is_all), is_all


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends, blank ones too.

    Raises ValueError as `read_text` does, and where a line is too long or there are too many.
    """
    with _unpacked(path) as file:
        if file.peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
            file.read(len(codecs.BOM_UTF8))
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
        # part of a longer character is no bracket either
        return _after_blanks(file, path)[:1].decode(errors="replace")


def refuse_bomb(path: Path, packed: int, unpacked: int) -> None:
    """Raise ValueError where a file of `packed` bytes holds so many more that nobody meant it."""
    if unpacked > max(_NEVER_TOO_MUCH, packed * _MOST_PACKED):
        raise ValueError(
            f"{path} holds more than {_MOST_PACKED} times its own size, which no file of results "
            "does. Unpack it yourself if it is meant so."
        )


def _after_blanks(file: BufferedReader, path: Path) -> bytes:
    """Read until something follows white space and a mark; return it, b"" where nothing does."""
    for _ in range(LARGEST_TEXT // _PIECE):
        piece = file.read(_PIECE)
        text = piece.removeprefix(codecs.BOM_UTF8).lstrip()
        if text or not piece:
            return text
    raise _too_large(path, LARGEST_TEXT)


class _Unpacking(RawIOBase):
    """What gzip unpacks, as long as it is no bomb."""

    def __init__(self, packed: BinaryIO, path: Path) -> None:
        super().__init__()
        self._packed, self._path = packed, path
        self._text = gzip.GzipFile(fileobj=packed)
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._text.readinto(buffer)
        self._size += count
        refuse_bomb(self._path, self._packed.tell(), self._size)
        return count


@contextmanager
def _unpacked(path: Path) -> Iterator[BufferedReader]:
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
        with path.open("rb") as file:
            yield BufferedReader(_Unpacking(file, path)) if start.startswith(_GZIP) else file
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
