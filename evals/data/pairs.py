"""Preference pairs from worked answers: the answer itself against a worse one.

Half of the rejected answers reach a wrong number by a slip in the last step, and are as long as the
answer they are paired with. The other half are right but more than twice as long as they need to
be. So being short is only ever preferred among right answers. Which half a problem falls in depends
on its text alone; an answer without working cannot ramble, and its rejected one is always wrong.

A wrong number is written as the right one is: at its place, with its unit, its currency and its
digits, one of which is another. What a number is read as is not known here (`metrics.answers`):
whoever trains on pairs of answers that people wrote makes sure that they state different ones.
"""

import random
import re
from collections.abc import Iterator

_RAMBLING = (
    "Let me think about this problem carefully.",
    "{working}",
    "Let me double-check that by doing all of it once more.",
    "{working}",
    "I have now checked it twice, so I am confident.",
)


def rejected_answer(question: str, answer: str) -> str:
    """Return a worse answer to `question` than `answer`.

    That is a worked answer, mostly ending in `#### target`. Without any number it is returned as
    it is, and makes no pair.
    """
    rng = random.Random(question)
    working, _ = _split(answer)
    if rng.random() < 0.5 or not working:
        return wrong_answer(answer, rng)
    return _rambling(answer)


def is_plain(answer: str) -> bool:
    """Say whether an answer ends in `####` and a whole number, as those of the bundled problems."""
    return re.fullmatch(r"-?\d+", _split(answer)[1]) is not None and "####" in answer


def is_rambling(answer: str, rejected: str) -> bool:
    """Say whether a rejected answer is the right one, at length."""
    return rejected == _rambling(answer)


def wrong_answer(answer: str, rng: random.Random) -> str:
    """Return an answer with a slip in the last step: its result and the final number are off by a
    little. Without any number it is returned as it is.
    """
    if not is_plain(answer):
        return _off_by_a_digit(answer, rng)
    working, target = _split(answer)
    slipped = _off_by_a_little(int(target), rng)
    return f"{_with_result(working, target, slipped)}\n#### {slipped}".lstrip()


def _with_result(working: str, target: str, slipped: str) -> str:
    """Put another number where working has a result last."""
    number = re.compile(rf"(?<![\d.,]){re.escape(target)}(?![\d,]|\.\d)")
    places = list(number.finditer(working))
    if not places:
        return working
    start, end = places[-1].span()
    return working[:start] + slipped + working[end:]


def _off_by_a_little(value: int, rng: random.Random) -> str:
    offset = rng.choice([-10, -2, -1, 1, 2, 10])
    slipped = value + offset
    return str(slipped if slipped > 0 else value + abs(offset))


def _off_by_a_digit(answer: str, rng: random.Random) -> str:
    """Write another number where an answer states its own, and where the working comes to it."""
    place = next(_places(answer), None)
    if place is None:
        return answer
    start, end = place
    written = answer[start:end]
    slipped = _another(written, rng)
    return f"{_with_result(answer[:start], written, slipped)}{slipped}{answer[end:]}"


_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# as people write them: 1,234.50, 0.5, 3 1/2
_NUMERAL = re.compile(
    rf"""(?ix) (?: \d+[ ] )? \d+[ ]?/[ ]?\d+
    | (?: \d{{1,3}} (?: [,'’_\u00a0\u202f]\d{{3}} )+ | \d+ ) (?: [.,]\d+ )?
    | \b (?: {"|".join(_WORDS)} ) \b"""
)
# what announces the number, the strongest first: the last of each counts
_ANNOUNCED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"####",
        r"\\(?:boxed|fbox)\s*\{",
        r"<answer>",
        r"\b(?:answer|result|solution)\b[^\d\n]{0,40}?(?:\bis\b|:|=)",
    )
)


def _places(answer: str) -> Iterator[tuple[int, int]]:
    """Yield where an answer may state its number, the likeliest first: behind what announces it,
    else last in its last sentence that has one.
    """
    for marker in _ANNOUNCED:
        for announced in reversed(list(marker.finditer(answer))):
            numeral = _NUMERAL.search(answer, announced.end())
            if numeral:
                yield numeral.span()
    *_, last = [None, *_NUMERAL.finditer(answer)]
    if last:
        yield last.span()


def _another(written: str, rng: random.Random) -> str:
    """Return a number of the same form: the last digit of its whole part is another, or below one
    its last digit.
    """
    if written.lower() in _WORDS:
        return _another_word(written, rng)
    whole = re.match(r"\d+(?:[,'’_\u00a0\u202f]\d{3}(?!\d))*", written)
    assert whole is not None
    at = whole.end() - 1
    if not whole[0].strip("0") and written.strip("0.,"):
        at = max(index for index, digit in enumerate(written) if digit in "123456789")
    others = [digit for digit in "123456789" if digit != written[at]]
    return written[:at] + rng.choice(others) + written[at + 1 :]


def _another_word(written: str, rng: random.Random) -> str:
    other = rng.choice([word for word in _WORDS[1:] if word != written.lower()])
    return other.capitalize() if written[0].isupper() else other


def _rambling(answer: str) -> str:
    working, target = _split(answer)
    lines = [line.replace("{working}", working) for line in _RAMBLING]
    return "\n".join([*lines, f"#### {target}"])


def _split(answer: str) -> tuple[str, str]:
    working, _, target = answer.rpartition("####")
    return working.strip(), target.strip()
