"""Standard output and standard error as the command has them: whatever is written, and whoever
writes it, acts on no terminal and on no log of a runner.

Two things pass as they are, but for credentials: documents, which their formats have cleaned, and
what our own console has styled.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, TextIO, cast

from stagelift.evals.credentials import words_without_credentials
from stagelift.evals.printed import PLAIN, safe_text, without_commands

# the number of the last of the three standard streams
_STANDARD = 2
# characters that wait for the end of their line, and those of a begun line that are remembered
_LONGEST_HELD, _LONGEST_BEGUN = 1 << 16, 1 << 12
_KEY_BEGINS, _KEY_ENDS = "-----BEGIN ", "-----END "


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
        for stream in (sys.stdout, sys.stderr):
            # what it did not take is said where the command ends
            with suppress(OSError, ValueError):
                stream.flush()
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
    sys.stdout.flush()
    stream, shown = _as_opened(sys.stdout), words_without_credentials(text)
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        stream.flush()
        stream.buffer.write(shown.encode())
    else:
        stream.write(shown)
    stream.flush()


class _Filtered:
    """A text stream behind a filter. It has no `buffer`: nobody writes bytes past it.

    A line is written when it ends, or at a flush as far as it has come: a command or a credential
    may be written in pieces. What a flush has let out is not written again.
    """

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self.stream, self.clean = stream, clean
        self.held: list[str] = []
        # what the line has already: as it came, and as it is shown
        self.came, self.shown = "", ""
        self.lock = RLock()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"Text is written here, not {type(text).__name__}.")
        with self.lock:
            self.held.append(text)
            if "\n" in text or len(text) + len(self.held) > _LONGEST_HELD:
                self._release("".join(self.held))
        return len(text)

    def flush(self) -> None:
        with self.lock:
            held, self.held = "".join(self.held), []
            self._show(held)
        self.stream.flush()

    def _release(self, text: str) -> None:
        """Show what is whole of a text: its lines, but for those of a key that has not ended."""
        lines = text.rfind("\n") + 1
        key = text.rfind(_KEY_BEGINS)
        if key >= 0 and _KEY_ENDS not in text[key:]:
            lines = key
        if len(text) - lines > _LONGEST_HELD:
            lines = len(text)
        self.held = [text[lines:]]
        self._show(text[:lines])

    def _show(self, text: str) -> None:
        """Write text after what its line has already."""
        if not text:
            return
        before, whole = self.clean(self.came), self.clean(self.came + text)
        new = _after(before, whole)
        line = without_commands(self.shown + new)
        # what is shown cannot be changed: a space after it ends what it began
        more = line if line.startswith(self.shown) else f"{self.shown} {without_commands(new)}"
        self.stream.write(more[len(self.shown) :])
        self.came, self.shown = _begun(self.came + text), _begun(more)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.stream, name)


def _after(before: str, whole: str) -> str:
    """Return a text without what it has in common, from its start, with one before."""
    if whole.startswith(before):
        return whole[len(before) :]
    return whole[next(at for at in range(len(before)) if whole[at : at + 1] != before[at]) :]


def _begun(text: str) -> str:
    """Return what the last line of a text has, of a long one its end."""
    line = text.rpartition("\n")[2]
    left_out = line[:-_LONGEST_BEGUN]
    # only spaces may stand before a command
    return f"{'.' if left_out.strip() else ''}{line[-_LONGEST_BEGUN:]}"


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
    stream.reconfigure(encoding=None if is_given else "utf-8", errors=PLAIN)
