"""How a command ends, whatever happens in it: the exit codes there are, and a sentence for each.

No traceback is an answer: what nobody foresaw is one sentence, and what led to it lies in a file.
The codes are those of docs/exit-codes.md. Python's own 1 for an exception would say "regressed".
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import typer

from stagelift.harness.commands.failures import asked_format, write_failure
from stagelift.harness.commands.help import Group

# neither an answer nor the input's fault: EX_SOFTWARE of sysexits.h
FAULT = 70
BAD_INPUT = 2
# 128 and the signal's number, as shells have it
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as Ctrl-C does."""


class Refused(SystemExit):
    """Bad input, after its sentence was printed."""

    def __init__(self, sentence: str) -> None:
        super().__init__(BAD_INPUT)
        self.sentence = sentence


class Commands(Group):
    """The commands, each of which ends as this module says."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **named: Any) -> Any:
        form = asked_format(args)
        with ended(form):
            context = super().make_context(info_name, args, *more, **named)
        context.obj = form
        return context

    def invoke(self, ctx: Any) -> Any:
        with ended(ctx.obj):
            return super().invoke(ctx)


@contextlib.contextmanager
def ended(form: str | None = None) -> Iterator[None]:
    """End the process with a sentence and an exit code that says what it was; in the `form` that
    was asked for, too, where machines read it.
    """
    try:
        try:
            yield
        finally:
            # what a full disk or a closed pipe did not take is said here, not at the very end
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        _end("Interrupted.", interrupted_code(error))
    except BrokenPipeError:
        # who reads has enough
        _drop_output()
        raise SystemExit(BROKEN_PIPE) from None
    except Refused as error:
        write_failure(form, error.sentence, BAD_INPUT)
        raise
    except Exception as error:
        # the command line's own, which it shows by itself
        if hasattr(error, "exit_code"):
            if hasattr(error, "format_message"):
                write_failure(form, error.format_message(), error.exit_code)
            raise
        from stagelift.harness.commands.faults import told
        from stagelift.harness.commands.refused_paths import refused_path

        refused = refused_path(error)
        if refused is not None:
            _end(f"Error: {refused}", BAD_INPUT, form)
        _end(told(error), FAULT, form)


def interrupted_code(error: KeyboardInterrupt) -> int:
    """Return the exit code that says which signal it was."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def _end(message: str, code: int, form: str | None = None) -> NoReturn:
    from stagelift.evals.printed import one_line

    with contextlib.suppress(OSError):
        typer.echo(one_line(message), err=True)
        write_failure(form, message, code)
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    raise SystemExit(code) from None


def _drop_output() -> None:
    """Let nothing be written any more, so that Python does not fail at it when it ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nothing, stream.fileno())
