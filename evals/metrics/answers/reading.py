r"""Read the final numeric answer out of a response, as an exact number in one canonical form.

Two answers are equal when their canonical strings are. In order: what stands in a thought is not
said; a tag, a JSON key or a box decides; a new turn or problem ends the response; explicit
markers (`####`, "the answer is", a last line `A: n`); a plain conclusion. What is taken back does
not count.
Where that can be read in two ways the answer is None: a response is never right or wrong by
accident.

The working is not judged, nor the unit (50% reads 50), nor whether the number was asked for.
Nothing is calculated ("3 + 4" is no answer). A number written as a word is read where a marker
announces it and nothing else; elsewhere it makes an answer unreadable.
"""

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import islice

from stagelift.evals.metrics.answers.boxes import boxed
from stagelift.evals.metrics.answers.canonical import canonical
from stagelift.evals.metrics.answers.conclusions import conclusion, last_result
from stagelift.evals.metrics.answers.enclosed import enclosed
from stagelift.evals.metrics.answers.markers import announced
from stagelift.evals.metrics.answers.numerals import numbers
from stagelift.evals.metrics.answers.plain import plain
from stagelift.evals.metrics.answers.retractions import standing
from stagelift.evals.metrics.answers.sentences import NO_HINTS, Hints, is_number_alone, stated
from stagelift.evals.metrics.answers.thoughts import without_thoughts
from stagelift.evals.metrics.answers.turns import own_turn

# part of the contract, which says what makes two evaluations comparable: raise it when the same
# text can give another answer
EXTRACTION = "numeric-2"


# characters: of what is longer only the end is read
_LONGEST = 50_000


def read_answer(response: str) -> str | None:
    """Return the final number `response` states ("18", "-2.5", "1/3"), or None where it cannot be
    read for certain.
    """
    aloud = without_thoughts(response)
    return None if aloud is None else canonical(_read(own_turn(aloud)[-_LONGEST:]))


# all stages answer the same problems
@lru_cache(maxsize=20_000)
def read_target(target: str) -> str | None:
    """Return the number a target is: "18", "$2.50" or a worked answer with a marker.

    None where it is no number.
    """
    text = plain(target).strip()
    for statement in [*boxed(text), *announced(text, NO_HINTS)]:
        return canonical(statement.value)
    text = text.removesuffix(".")
    number = next(numbers(text), None)
    if number is None or not is_number_alone(text, number):
        # "Paris 2024" is no number
        return None
    return canonical(number.value)


def _read(turn: str) -> Fraction | None:
    marked = enclosed(turn)
    if marked is None:
        return _said(turn)
    content = plain(marked.content).strip()
    is_short = "\n" not in content and "boxed" not in content
    value = stated(content) if is_short else None
    return standing(_said(marked.content) if value is None else value, plain(marked.rest))


def _said(turn: str) -> Fraction | None:
    """Read what a response says without tags: boxes, then markers, then its conclusion."""
    text = plain(turn).strip()
    hints = _HintsOf(text, turn)
    box = next(boxed(text), None)
    marker = next(announced(text, hints), None)
    if box and marker and marker.start > box.end and marker.value != box.value:
        # two answers
        return None
    statement = box or marker or conclusion(text, hints)
    return standing(statement.value, text[statement.end :]) if statement else None


class _HintsOf(Hints):
    """The hints of a response, looked for where they are asked for: most are clear without."""

    def __init__(self, text: str, turn: str) -> None:
        self._text, self._turn = text, turn

    @cached_property
    def result(self) -> Fraction | None:
        return last_result(self._text)

    @cached_property
    def bold(self) -> Fraction | None:
        return _in_bold(self._turn)

    @cached_property
    def named(self) -> Mapping[Fraction, int]:
        return _named(self._text)


# numbers: what comes later in a text is not counted
_MOST = 1_000


def _named(text: str) -> Counter[Fraction]:
    values = (number.value for number in islice(numbers(text), _MOST))
    return Counter(value for value in values if value is not None)


_BOLD = re.compile(r"(?:\*\*|__)([^*_\n]{1,80})(?:\*\*|__)")


def _in_bold(turn: str) -> Fraction | None:
    """Return the number in bold type of the last paragraph that has one, where it is alone."""
    for paragraph in reversed(turn.rstrip().split("\n")[-5:]):
        if spans := _BOLD.findall(paragraph):
            values = {stated(plain(span)) for span in spans} - {None}
            return values.pop() if len(values) == 1 else None
        if re.search(r"\d", paragraph):
            return None
    return None
