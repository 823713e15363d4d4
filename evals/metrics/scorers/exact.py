"""The response is an accepted answer and nothing else, but for what `texts` says does not count."""

from typing import Literal

from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import accepted, equals, normalised, spoken
from stagelift.evals.records import Scored


class Exact(Scorer):
    """1 where the whole response is one of the accepted answers, else 0.

    It does not look for an answer in a longer text.
    """

    kind: Literal["exact"] = "exact"

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where the target is no text, number or list of them."""
        accepted(row["target"])

    def score(self, response: str, row: Row) -> Scored:
        """Compare the response with each accepted answer."""
        said = spoken(response)
        is_equal = any(equals(said, answer) for answer in accepted(row["target"]))
        return Scored(value=float(is_equal), answer=normalised(said)[:200], unread=not said.strip())
