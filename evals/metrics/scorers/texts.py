"""Texts and targets of a user's task as they are compared.

Two texts are equal in any case, with any white space, and in any of Unicode's ways to write a
character. What is put around an answer does not count: a code fence, emphasis, quotation marks, a
full stop at its end. Punctuation inside it does. A target that is a number is equal to the same
number, however it is written.
"""

import math
import unicodedata
from typing import Any

from stagelift.evals.data.answers import number_text
from stagelift.evals.metrics.answers.reading import read_target
from stagelift.evals.metrics.answers.thoughts import without_thoughts

# characters: of what is longer only the end is read
LONGEST = 50_000
_AROUND = " \t\n*_`\"'“”‘’«»„"


def spoken(response: str) -> str:
    """Return what a response says after its thoughts; nothing where a thought never ends."""
    return (without_thoughts(response) or "")[-LONGEST:]


def normalised(text: str) -> str:
    """Return a text as it is compared."""
    text = _without_fence(unicodedata.normalize("NFKC", text).strip())
    text = text.strip(_AROUND).removesuffix(".").strip(_AROUND)
    return " ".join(text.split()).casefold()


def _without_fence(text: str) -> str:
    """Return what stands in a code fence, where a text is one."""
    if not (text.startswith("```") and text.endswith("```")):
        return text
    language, newline, content = text[3:-3].partition("\n")
    return content if newline and "`" not in language else text


def accepted(target: Any) -> list[Any]:
    """Return the answers that a target accepts: itself, or each of a list.

    Raises ValueError, as a clause, where one is no text, number or truth value.
    """
    answers = target if isinstance(target, list) else [target]
    for answer in answers:
        if not isinstance(answer, str | int | float) or not _can_be_met(answer):
            raise ValueError(
                f"its target {answer!r:.60} is empty, or no text, number or list of accepted "
                "answers"
            )
    if not answers:
        raise ValueError("its target is an empty list, so that no answer is accepted")
    return answers


def written(answer: Any) -> str:
    """Write an accepted answer as a text: true, 42, Paris."""
    if isinstance(answer, bool):
        return str(answer).lower()
    return number_text(answer) or str(answer)


def is_number(answer: Any) -> bool:
    """Say whether an answer is a number; true and false are none."""
    return isinstance(answer, int | float) and not isinstance(answer, bool)


def equals(text: str, answer: Any) -> bool:
    """Say whether a text is an accepted answer, and nothing else."""
    if is_number(answer):
        said = normalised(text)
        # a unit is more than the number
        has_words = any(character.isalpha() for character in said)
        return not has_words and read_target(said) == read_target(written(answer))
    return normalised(text) == normalised(written(answer))


def _can_be_met(answer: str | int | float) -> bool:
    """An empty text is met by silence alone, and no response says what is no number."""
    if isinstance(answer, str):
        return normalised(answer) != ""
    return math.isfinite(answer)
