"""Numbers in one sentence of plain text, as exact fractions.

A number word, a bound, a part of an expression and a numeral that goes on in characters that are
not known here are numbers, too: numbers whose value cannot be told.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from stagelift.evals.metrics.answers.canonical import MAX_LENGTH
from stagelift.evals.metrics.answers.magnitudes import SCALE, UNCLEAR, power_of_ten


@dataclass(frozen=True)
class Number:
    """Where a number stands, and its value; None where that cannot be told."""

    start: int
    end: int
    value: Fraction | None


# characters: most sentences are shorter
_SHORT = 300


def numbers(text: str) -> Iterator[Number]:
    """Yield every number of one sentence, the first one first."""
    return iter(_of_sentence(text)) if len(text) <= _SHORT else _read(text)


# a sentence is asked for its numbers many times while a response is read
@lru_cache(maxsize=256)
def _of_sentence(text: str) -> tuple[Number, ...]:
    return tuple(_read(text))


def _read(text: str) -> Iterator[Number]:
    for match in _QUANTITY.finditer(text):
        start, end = match.span()
        is_part = _is_part_of(text[max(0, start - 24) : start]) or _goes_on(text, match)
        is_readable = match["top"] is not None and not is_part
        yield Number(start, end, _value(match) if is_readable else None)


# "12:30" and "1,5" are taken whole and then refused
_DIGITS = r"(?:\d++(?:[.,:'’_]\d++)*+(?:\.?\(\d{1,9}\)(?![\w(]))?|\.\d++)"
_QUANTITY = re.compile(
    rf"""(?ix)
    (?: (?<![^\s(\[{{=:,;"'“‘|]) (?P<sign>[-+\u2013]) (?=[\d.])
      | (?<![\w.]) (?<![a-z]\^)
      | (?<=[^\x00-\x7f]) )
    (?: (?P<whole>{_DIGITS})[ ](?=\d{{1,9}}[ ]?/[ ]?\d) )?
    (?P<top>{_DIGITS}) (?: [ ]?/[ ]?(?P<bottom>{_DIGITS}) )?
    (?: (?:e|[ ]?[x×*·][ ]?10[ ]?\^\(?) (?P<power>[-+]?\d++) \)? )?
    (?P<scale>{SCALE})?
    | \b(?: zero | none | two | three | four | five | six | seven | eight | nine | ten | eleven
        | twelve | (?:thir|four|fif|six|seven|eigh|nine)teen | twenty | thirty | forty | fifty
        | sixty | seventy | eighty | ninety | hundred | thousand | [mb]illion | dozens? | half
        | twice | double | triple )\b
    | \bone\b (?<!the[ ]one) (?<!this[ ]one) (?<!that[ ]one) (?<!each[ ]one) (?<!every[ ]one)
      (?<!another[ ]one) (?![ ]of\b)
    | \\(?!f?boxed)[a-z]+
    """
)
_BOUNDS = (
    "at least|at most|more than|less than|fewer than|greater than|over|under|above|below|up to"
    "|between|minimum of|maximum of|al menos|como mínimo|como máximo|más de|menos de|mayor que"
    "|menor que|entre|au moins|au plus|plus de|moins de|mindestens|höchstens|mehr als|weniger als"
    "|über|unter|zwischen|größer als|kleiner als|almeno|più di|meno di|pelo menos|mais de|minst"
    "|meer dan|не менее|не более|более|менее|больше|меньше|между|от|zaidi ya|angalau|kati ya"
)
_BOUNDS_UNSPACED = (
    "至少|至多|最多|最少|超过|超過|少于|少於|不到|大于|大於|小于|小於|不超过|不少于|第|อย่างน้อย|มากกว่า|น้อยกว่า"
    "|ระหว่าง|কমপক্ষে|সর্বাধিক|కనీసం|గరిష్ఠంగా|कम से कम|최소|최대"
)
_MORE_BEFORE = re.compile(
    r"(?i)(?:[*/×÷·+^±<≤≥≠√]|(?<!=)>|[-\u2013]) ?(?:[(\[] ?){0,2}\Z"
    r"|\u2014\Z|\b(?:sqrt|log|ln|negative|minus) ?\( ?\Z"
    rf"|(?:{_BOUNDS_UNSPACED}) ?\Z"
    rf"|\b(?:{_BOUNDS}|times|plus|minus|add(?:ing)?|subtract(?:ing)?"
    r"|elfu|laki|milioni|mia|bilioni|mamia|dazeni|mod"
    r"|(?:multipl|divid)[a-z]{1,5}(?: [a-z]{1,5})? by|sqrt|log"
    r"|(?:root|square|cube|power|factorial|third|quarter"
    r"|(?:four|fif|six|seven|eigh|nin|ten)th|percent) of(?: the)?) \Z"
)
# short units may stand right behind a numeral; other letters there make it unknown
_SHORT_UNITS = (
    "kg|g|mg|lb|oz|cm|mm|km|ft|in|yd|mi|s|h|hr|am|pm|ml|cl|dl|l|w|c|f|hz|ha|px|mb|gb|kb|tb|p|ct"
    "|cc|pt|qt|wh|sq|au|yr|pa|ma|kw|kj"
)
_MORE_AFTER = re.compile(
    r"(?i) ?[*×÷·+^±π√]| ?/(?! ?[a-z]{2})| ?x ?[\d(]| ?[-\u2013\u2014~] ?[\d(]"
    r"|[%‰₀-₉ºª_\\\u0300-\u036f]|(?:st|nd|rd|th)\b"
    rf"|(?!(?:{_SHORT_UNITS})(?![a-z]))[a-z]{{1,2}}(?![^\W\d_])|[^\W\d_]{{1,5}}\d"
    r"|-(?:й|я|е|го|му|ый|ая|ое|х|м|ти|er|ème|e)(?![^\W\d_])|er\b|ème\b"
    r"| ?pi\b| ?\\?sqrt|[^\W\d_]{0,4} ?(?:半|반(?=입|이|\b))"
    r"| ?\((?:in )?(?:thousand|million|billion)s?\)"
    r"|(?: [^\W\d_]{1,12})? (?:с половиной|et demie?|y medi[ao]|e mezz[ao]|e mei[ao]|na nusu)\b"
    r"|[ -](?:squared|cubed|factorial|halves|thirds"
    r"|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths)\b"
    r"| to the (?:(?:[\w-]{1,12} )?power\b|-?\d|third\b|fourth\b|fifth\b)"
    r"| ?(?:[A-Za-z]{1,12} ){0,2}below (?:zero|0|freezing|sea)\b"
    r"|,? or (?:more|less|fewer|so|higher|lower|greater)\b| ?以[上下]| ?未満"
    rf"|{UNCLEAR}"
)


# the same sentence comes alone, and in the whole text
@lru_cache(maxsize=256)
def _is_part_of(before: str) -> bool:
    return _MORE_BEFORE.search(before) is not None


def _goes_on(text: str, match: re.Match[str]) -> bool:
    end = match.end()
    is_endless = "." in (match["top"] or "") and text.startswith(("..", "…"), end)
    return is_endless or _MORE_AFTER.match(text, end) is not None


def _value(match: re.Match[str]) -> Fraction | None:
    top, bottom = _plain_number(match["top"]), _plain_number(match["bottom"] or "1")
    whole, power = _plain_number(match["whole"] or "0"), _power(match)
    if top is None or not bottom or whole is None or power is None:
        return None
    if match["whole"] and (whole.denominator != 1 or top >= bottom):
        # "1 234/5" is no mixed number
        return None
    value = top
    if match["whole"] or match["bottom"] or power:
        value = (whole + top / bottom) * Fraction(10) ** power
    return -value if match["sign"] not in (None, "+") else value


def _power(match: re.Match[str]) -> int | None:
    digits = match["power"] or "0"
    if len(digits) > 4 or abs(int(digits)) > MAX_LENGTH:
        return None
    return int(digits) + (power_of_ten(match["scale"]) if match["scale"] else 0)


_PLAIN = re.compile(
    r"(?P<whole>[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)?(?:\.(?P<decimals>[0-9]*)"
    r"(?:\((?P<period>[0-9]+)\))?)?"
)


def _plain_number(text: str) -> Fraction | None:
    """Read digits; "0.1(6)" repeats its last ones without end."""
    return None if len(text) > MAX_LENGTH else _of_digits(text)


@lru_cache(maxsize=1_000)
def _of_digits(text: str) -> Fraction | None:
    match = _PLAIN.fullmatch(text)
    if match is None:
        return None
    whole, decimals = (match["whole"] or "0").replace(",", ""), match["decimals"] or ""
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    if period := match["period"]:
        value += Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(decimals))
    return value
