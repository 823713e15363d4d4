"""The response's final expression is equal to the target's, by math-verify.

It reads LaTeX, boxes and plain expressions, and compares them as sympy does: 1/2 is 0.5, and
{1, 2} is {2, 1}. It stops after math-verify's own limit, which is a failure and no verdict; what is
too large to be computed is wrong. That limit is an alarm, which only the main thread can set: other
threads ask a process.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any, Literal

from stagelift.evals.metrics.scorers.computable import computable
from stagelift.evals.metrics.scorers.mathematics_apart import scored_apart
from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import accepted, spoken, written
from stagelift.evals.records import Scored

# seconds for reading, and as many for comparing
_TIMEOUT = 5
# characters: the final answer stands at the end
_LONGEST = 5_000


class Mathematics(Scorer):
    """1 where the final expression is equal to an accepted answer's, else 0."""

    kind: Literal["math"] = "math"

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where no expression can be read in the target."""
        for answer in accepted(row["target"]):
            if not _reads(_as_latex(written(answer))):
                raise ValueError(f"math-verify reads no expression in its target {answer!r:.60}")

    def score(self, response: str, row: Row) -> Scored:
        """Compare with each accepted answer."""
        if not _can_set_alarms():
            return scored_apart(response, row)
        try:
            text = computable(spoken(response)[-_LONGEST:])
        except ValueError:
            return Scored(value=0.0, unread=True)
        parsed = _parsed(text)
        if not parsed:
            return Scored(value=0.0, unread=True)
        is_equal = any(
            _equal(_parsed(_as_latex(written(answer))), parsed)
            for answer in accepted(row["target"])
        )
        return Scored(value=float(is_equal), answer=str(parsed[-1])[:200])


def _reads(text: str) -> bool:
    """Say whether an expression can be read in a text."""
    if _can_set_alarms():
        return bool(_parsed(text))
    return not scored_apart(text, {"target": text}).unread


def _can_set_alarms() -> bool:
    return threading.current_thread() is threading.main_thread()


def _parsed(text: str) -> list[Any]:
    """Read the last expression of a text; empty where there is none."""
    from math_verify import parse

    # it logs what it cannot read
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    with in_time():
        return list(parse(computable(text), parsing_timeout=_TIMEOUT, raise_on_error=True))


def _equal(target: list[Any], parsed: list[Any]) -> bool:
    from math_verify import verify

    with in_time():
        return bool(verify(target, parsed, timeout_seconds=_TIMEOUT, raise_on_error=True))


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Raise TimeoutError where math-verify says that time is up, which ends a whole run: what it
    raises is no Exception.
    """
    from math_verify.errors import TimeoutException

    try:
        yield
    except TimeoutException as error:
        raise TimeoutError(f"math-verify needs more than {_TIMEOUT} s") from error


def _as_latex(answer: str) -> str:
    """Put an answer with LaTeX's commands where math-verify looks for these."""
    return f"${answer}$" if "\\" in answer and "$" not in answer else answer
