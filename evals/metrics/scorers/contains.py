"""An accepted answer stands somewhere in the response, as words of its own."""

import re
from decimal import Decimal
from typing import Any, Literal

from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import (
    accepted,
    is_number,
    normalised,
    spoken,
    written,
)
from stagelift.evals.records import Scored

# the minus of a number, and not of "3-4"
_MINUS = r"(?<![\w)])[-−]"
_NUMBER = re.compile(
    rf"(?P<minus>{_MINUS}[$€£]?)?(?<![\w.])(?<!\d,)"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?!\w|[.,]\d)"
)


class Contains(Scorer):
    """1 where the response has an accepted answer in it, else 0.

    "cat" is not in "concatenate", nor 4 in "42", "4.5" or "-4". A target that is a number stands
    where its value does: 1000 in "1,000". A response that names every answer has
    the right one, too, and so has one that denies it: `choice` is stricter.
    """

    kind: Literal["contains"] = "contains"

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where the target is no text, number or list of them."""
        accepted(row["target"])

    def score(self, response: str, row: Row) -> Scored:
        """Look for each accepted answer."""
        said = normalised(spoken(response))
        answers = accepted(row["target"])
        named = next((answer for answer in answers if _stands_in(answer, said)), None)
        is_named = named is not None
        return Scored(
            value=float(is_named), answer=normalised(written(named)) if is_named else None
        )


def _stands_in(answer: Any, text: str) -> bool:
    if not is_number(answer):
        return stands_in(normalised(written(answer)), text)
    return Decimal(written(answer)) in _numbers(text)


def _numbers(text: str) -> set[Decimal]:
    """Return the numbers that stand in a text."""
    return {
        Decimal(number["digits"].replace(",", "")).copy_sign(-1 if number["minus"] else 1)
        for number in _NUMBER.finditer(text)
    }


def stands_in(answer: str, text: str) -> bool:
    """Say whether an answer stands in a text, and is no part of a longer word or number."""
    before = r"(?<![\w])(?<!\d[.,])" if answer[:1].isalnum() else ""
    if answer[:1].isdigit():
        before += rf"(?<!{_MINUS})"
    after = r"(?![\w]|[.,]\d)" if answer[-1:].isalnum() else ""
    return re.search(f"{before}{re.escape(answer)}{after}", text) is not None
