"""The exceptions a user is meant to see: each is a sentence with the problem, the value and the
remedy.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from stagelift.evals.credentials import words_without_credentials


class StageliftError(Exception):
    """Whatever stagelift refuses to do, or could not do. The sentence holds no credential."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(words_without_credentials(sentence))


class UsageError(StageliftError):
    """Something the user can put right; exit code 2. Raised before anything is written."""


class SeveralMistakes(UsageError):
    """Several things at once, a sentence each."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(words_without_credentials(sentence) for sentence in sentences)


@contextmanager
def as_usage_errors() -> Iterator[None]:
    """Let what cannot be read or written, too, be a UsageError with the same sentence."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error
