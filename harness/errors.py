"""The exceptions a user is meant to see: each is a sentence with the problem, the value and the
remedy.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class StageliftError(Exception):
    """Whatever stagelift refuses to do, or could not do."""


class UsageError(StageliftError):
    """Something the user can put right; exit code 2. Raised before anything is written."""


@contextmanager
def as_usage_errors() -> Iterator[None]:
    """Let what cannot be read or written, too, be a UsageError with the same sentence."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(str(error)) from error
