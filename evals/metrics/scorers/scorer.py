"""What a scorer is: settings that say what a response to a row is worth.

The same object makes a metric of an evaluation and a reward of a training stage.
"""

from typing import Any, ClassVar

from stagelift.evals.metrics.measures import SHARE, Bounds
from stagelift.evals.records import Record, Scored

# a row of a user's task: its prompt, its target, and whatever other columns it has
Row = dict[str, Any]


class Scorer(Record):
    """One way to score; `version` is raised when the same response can get another value."""

    kind: str
    version: ClassVar[int] = 1

    @property
    def called(self) -> str:
        """What metrics call it."""
        return self.kind

    @property
    def bounds(self) -> Bounds | None:
        """The least and the most that it gives; None where it has no such ends."""
        return SHARE

    def check(self) -> None:
        """Raise ValueError, in a sentence, where it cannot work whatever the row."""

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where it cannot work with this row's target."""
        raise NotImplementedError

    def score(self, response: str, row: Row) -> Scored:
        """Say what a response to a row is worth. May raise anything on a row it cannot work on."""
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """What makes it this scorer: its settings and its version."""
        return {**self.model_dump(mode="json", by_alias=True), "version": self.version}
