"""Numerals as they are written outside the US, put as an English text writes them.

"1.250.000" and "12.500,50" can be read in one way only. "12.500" and "12,5" depend on how the rest
of the text writes its numbers. Where that does not decide they become "12:500", which is no number.
"""

import re
from dataclasses import dataclass

_EDGE = r"(?<![A-Za-z0-9_.,:'’])"
_END = r"(?![.,'’]?\d)"
_COMMA_CURRENCY = (
    r"(?:€|\b[Ee]uros?\b|\bEUR\b|zł|\bkr\b|₽|\b(?:dólares|pesos|soles)\b|руб|грн|лв|\blei\b|Kč"
    r"|\bFt\b|R\$)"
)


def in_english_form(text: str) -> str:
    """Return `text` with its numerals as English writes them."""
    text = _SPACED.sub(_joined, text)
    if not _HAS_MARK.search(text):
        return text
    habit = _habit(text)
    text = _BOTH_MARKS.sub(lambda m: f"{m[1].replace('.', '')}.{m[2]}", text)
    text = _MANY_GROUPS.sub(lambda m: re.sub(r"\D", "", m[0]), text)
    text = _ONE_COMMA.sub(lambda m: _one_comma(m, habit), text)
    return _ONE_POINT.sub(lambda m: _one_point(m, habit), text)


# what any of the others needs
_HAS_MARK = re.compile(r"\d[.,'’_]\d")
_SPACED = re.compile(
    r"(?i)(?P<label>\b(?:year|day|week|month|step|round|box|bag|level|room|group|page|grade) )?"
    r"(?<![A-Za-z0-9_.,:'’/^])(?<!\d )[1-9]\d{0,2}(?:[ \xa0]\d{3})+(?! ?/| ?\d)"
)
# "1.234.567,8"
_BOTH_MARKS = re.compile(rf"{_EDGE}(\d{{1,3}}(?:\.\d{{3}})+),(\d++){_END}")
# "1.250.000", "12'500" and the Indian "1,23,456"
_MANY_GROUPS = re.compile(
    rf"{_EDGE}(?:\d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\.\d)|\d{{1,3}}(?:['’_]\d{{3}})+)(?!['’]?\d)"
    rf"|{_EDGE}\d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?!\d|,\d)"
)
_ONE_COMMA = re.compile(rf"{_EDGE}(\d{{1,9}}),(\d{{1,9}}){_END}")
_ONE_POINT = re.compile(rf"{_EDGE}([1-9]\d{{0,2}})\.(\d{{3}}){_END}")


def _joined(match: re.Match[str]) -> str:
    """Join "12 500"; "day 1 100" is a label and a number."""
    return match[0] if match["label"] else re.sub(r"\D", "", match[0])


@dataclass(frozen=True)
class _Habit:
    """How a text writes numbers, by its numerals and by the language it is in."""

    # a numeral that only a decimal point explains: "2.50", "1,234.5"
    points: bool
    # one that only a decimal comma explains: "1.234,5", "12,50 €"
    commas: bool
    # a language that writes 12,5
    comma_language: bool
    # one that writes 12.500 for twelve thousand five hundred
    point_groups: bool


_POINTS = re.compile(
    rf"{_EDGE}(?:\d{{1,9}}\.(?:\d{{1,2}}|\d{{4,9}})|[1-9]\d{{0,2}}(?:,\d{{3}})+\.\d++){_END}"
)
_COMMAS = re.compile(
    rf"{_EDGE}(?:\d{{1,3}}(?:\.\d{{3}})+,\d++|\d{{1,3}}(?:\.\d{{3}}){{2,}}"
    rf"|\d{{1,9}},\d{{1,2}} ?{_COMMA_CURRENCY}){_END}|{_COMMA_CURRENCY} ?\d{{1,9}},\d{{1,2}}{_END}"
)
# Spanish is left out: half of its speakers write 12,500 for twelve thousand five hundred
_GROUPING_LANGUAGES = re.compile(
    r"(?i)\b(?:und|nicht|eine[nmr]?|der|das|dem|von|wird|werden|für|macht|jeden|betragen|somit|gewinn|ergebnis|insgesamt|antwort|beträgt|kostet|sind|lautet|della|sono|risposta"
    r"|quindi|uma|não|são|resposta|het|een|antwoord|adalah|jawaban|değil|cevap|toplam|ist|die)\b"
)
_SPACING_LANGUAGES = re.compile(
    r"(?i)[а-яіїґ]{3,20}|\b(?:est|une|donc|réponse|coûte|les|des|svaret|och|är|odpowiedź|jest"
    r"|vastaus|odpověď|celkem|razem)\b"
)


def _habit(text: str) -> _Habit:
    groups = {word.lower() for word in _GROUPING_LANGUAGES.findall(text)}
    spaces = {word.lower() for word in _SPACING_LANGUAGES.findall(text)}
    return _Habit(
        points=_POINTS.search(text) is not None,
        commas=_COMMAS.search(text) is not None,
        comma_language=len(groups | spaces) >= 2,
        point_groups=len(groups) >= 2,
    )


_CURRENCY = re.compile(_COMMA_CURRENCY)
_COUNTED = re.compile(
    r"(?i) (?:users|people|persons|inhabitants|residents|visitors|students|followers|subscribers"
    r"|copies|tickets|votes|voters|employees|customers|players|fans|books|cars|trees|eggs)\b"
)


def _one_comma(match: re.Match[str], habit: _Habit) -> str:
    """Read "12,5", "12,500" and "0,500"."""
    is_local = (habit.commas or habit.comma_language) and not habit.points
    if len(match[2]) == 3 and re.fullmatch(r"[1-9]\d{0,2}", match[1]):
        return f"{match[1]}:{match[2]}" if is_local else match[0]
    is_price = len(match[2]) == 2 and _CURRENCY.search(_around(match))
    return f"{match[1]}.{match[2]}" if is_local or (is_price and not habit.points) else match[0]


def _one_point(match: re.Match[str], habit: _Habit) -> str:
    """Read "12.500", which is twelve thousand five hundred for half of the world."""
    is_price = _CURRENCY.search(_around(match)) is not None
    is_grouped = habit.commas or habit.point_groups or is_price
    if is_grouped and not habit.points:
        return match[1] + match[2]
    is_unclear = is_grouped or habit.comma_language or match[2].endswith("00")
    is_counted = _COUNTED.match(match.string, match.end()) is not None
    return f"{match[1]}:{match[2]}" if is_unclear or is_counted else match[0]


def _around(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - 9) : match.end() + 9]
