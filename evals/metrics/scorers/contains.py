"""An accepted answer stands somewhere in the response, as words of its own."""

import re
from typing import Literal

from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import accepted, normalised, spoken, written
from stagelift.evals.records import Scored


class Contains(Scorer):
    """1 where the response has an accepted answer in it, else 0.

    "cat" is not in "concatenate", nor 4 in "42" or "4.5". A response that names every answer has
    the right one, too, and so has one that denies it: `choice` is stricter.
    """

    kind: Literal["contains"] = "contains"

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where the target is no text, number or list of them."""
        accepted(row["target"])

    def score(self, response: str, row: Row) -> Scored:
        """Look for each accepted answer."""
        said = normalised(spoken(response))
        answers = [normalised(written(answer)) for answer in accepted(row["target"])]
        named = next((answer for answer in answers if stands_in(answer, said)), None)
        return Scored(value=float(named is not None), answer=named)


def stands_in(answer: str, text: str) -> bool:
    """Say whether an answer stands in a text, and is no part of a longer word or number."""
    before = r"(?<![\w])(?<!\d[.,])" if answer[:1].isalnum() else ""
    after = r"(?![\w]|[.,]\d)" if answer[-1:].isalnum() else ""
    return re.search(f"{before}{re.escape(answer)}{after}", text) is not None
