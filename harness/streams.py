"""Standard output and standard error as the command has them: whatever is written, and whoever
writes it, acts on no terminal and on no log of a runner.

Two things pass as they are, but for credentials: documents, which their formats have cleaned, and
what our own console has styled.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from stagelift.evals.credentials import words_without_credentials
from stagelift.evals.printed import safe_text, without_commands

# the number of the last of the three standard streams
_STANDARD = 2


@contextmanager
def cleaned_streams() -> Iterator[None]:
    """Let nothing that is printed act, and no encoding end the command."""
    _open_what_is_closed()
    before = sys.stdout, sys.stderr
    for stream in before:
        _take_everything(stream)
    sys.stdout, sys.stderr = (cleaned(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open_what_is_closed() -> None:
    """Put nothing in the place of standard streams that are closed: Python has none then, and the
    next file that is opened, such as a record, would stand where libraries print.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD:
        os.set_inheritable(opened, True)
    os.close(opened)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - no path, and it stays open


def cleaned(stream: TextIO) -> TextIO:
    """Return a stream that shows what could act in what is written to it."""
    return _filtered(stream, lambda text: safe_text(words_without_credentials(text)))


def for_styled(stream: TextIO) -> TextIO:
    """Return the stream for our own console, whose texts are clean and whose styles are codes."""
    return _filtered(_as_opened(stream), words_without_credentials)


def write_document(text: str) -> None:
    """Write to standard output what has a format of its own, which has cleaned it.

    To a file or a pipe it is UTF-8 whatever the locale is: escapes of ours would break a format.
    """
    stream, shown = _as_opened(sys.stdout), words_without_credentials(text)
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        stream.flush()
        stream.buffer.write(shown.encode())
    else:
        stream.write(shown)
    stream.flush()


class _Filtered:
    """A text stream behind a filter. It has no `buffer`: nobody writes bytes past it."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self.stream, self.clean = stream, clean
        # what a line has already, for it may be written in pieces
        self.begun = ""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"Text is written here, not {type(text).__name__}.")
        shown = without_commands(self.begun + self.clean(text))
        self.stream.write(shown[len(self.begun) :])
        # only its start can make it a command
        self.begun = shown.rpartition("\n")[2][:80]
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.stream, name)


def _filtered(stream: TextIO, clean: Callable[[str], str]) -> TextIO:
    return cast(TextIO, _Filtered(stream, clean))


def _as_opened(stream: TextIO) -> TextIO:
    """Return what a stream was before it was cleaned."""
    return stream.stream if isinstance(stream, _Filtered) else stream


def _take_everything(stream: TextIO) -> None:
    """Let a stream escape what its encoding lacks: reports hold more than old code pages and the C
    locale can say. A pipe is UTF-8 where nobody says otherwise.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return
    is_given = "PYTHONIOENCODING" in os.environ or stream.isatty()
    stream.reconfigure(encoding=None if is_given else "utf-8", errors="backslashreplace")
