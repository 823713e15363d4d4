"""An answer that is spelled out, alone or with its unit: "fifteen", "twenty-five pens"."""

import re
from fractions import Fraction

_ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SPELLED = re.compile(
    rf"(?i)\W{{0,6}}(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<more>{'|'.join(_ONES[1:10])}))?"
    rf"|(?P<ones>{'|'.join(_ONES)}))"
    r"(?: (?!(?:hundred|thousand|[a-z]?illion|dozen|hal(?:f|ves)|third|quarter|fourth|fifth|sixth"
    r"|score|point|squared|more|less|times|to|of|percent|and|or)s?\b)[a-z]{1,15})?\W*"
)


def spelled(sentence: str) -> Fraction | None:
    """Return the number from 0 to 99 that a sentence is; None where it says more than that."""
    word = _SPELLED.fullmatch(sentence)
    if word is None:
        return None
    if word["ones"]:
        return Fraction(_ONES.index(word["ones"].lower()))
    more = _ONES.index(word["more"].lower()) if word["more"] else 0
    return Fraction(20 + 10 * _TENS.index(word["tens"].lower()) + more)
