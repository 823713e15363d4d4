"""A worker's log: everything that libraries print, in which no credential stands."""

import io
import sys
from pathlib import Path
from typing import TextIO

from stagelift.evals.credentials import words_without_credentials


def print_no_credentials() -> None:
    """Leave credentials out of whatever this process prints from now on, tracebacks too."""
    sys.stdout, sys.stderr = _clean(sys.stdout), _clean(sys.stderr)


def clean_log(path: Path) -> None:
    """Leave credentials out of a log that other programs have written to, and that is closed."""
    if not path.is_file():
        return
    said = path.read_text(encoding="utf-8", errors="surrogateescape")
    clean = words_without_credentials(said)
    if clean != said:
        path.write_text(clean, encoding="utf-8", errors="surrogateescape")


class _CleanText(io.TextIOWrapper):
    def write(self, text: str) -> int:
        super().write(words_without_credentials(text))
        return len(text)


def _clean(stream: TextIO) -> TextIO:
    # a test may have put something else there
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return _CleanText(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
