r"""Read the final numeric answer out of a response, as an exact number in one canonical form.

Two answers are equal when their canonical strings are. What was stated last and most explicitly
counts (`####`, `\boxed{}`, "the answer is"). Where that can be read in two ways the answer is None:
a response is never right or wrong by accident.

The working is not judged, nor the unit (50% reads 50), nor whether the number was asked for.
Nothing is calculated ("3 + 4" is no answer). Numbers written as words make an answer unreadable.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

# part of the contract, which says what makes two evaluations comparable: raise it when the same
# text can give another answer
EXTRACTION = "numeric-1"

# characters of a number: beyond it nobody stated an answer, and 1e999999999 must not be written out
MAX_LENGTH = 50


def read_answer(response: str) -> str | None:
    """Return the final number `response` states ("18", "-2.5", "1/3"), or None where it cannot be
    read for certain.

    The last explicit marker that has a number decides, even where that number is unreadable ("the
    answer is 3 or 4"). Without a marker the last sentence that has a number does, where it ends the
    working (see `_last_sentence`).
    """
    text = _simplify(response)
    for stated in _explicit(text):
        return _canonical(stated)
    return _canonical(_last_sentence(text))


def read_target(target: str) -> str | None:
    """Return the number a target is: "18", "$2.50" or a worked answer with a marker.

    None where it is no number.
    """
    text = _simplify(target)
    for stated in _explicit(text):
        return _canonical(stated)
    text = text.strip().removesuffix(".")
    number = next(_numbers(text), None)
    if number is None or number.start > 0 or not _UNIT.fullmatch(text, number.end):
        # "Paris 2024" is no number
        return None
    return _canonical(number.value)


def _canonical(value: Fraction | None) -> str | None:
    """Write a number as an integer, else as the exact decimal, else as a fraction.

    None where that gets too long.
    """
    if value is None:
        return None
    decimals = _decimals(value.denominator)
    text = str(value) if decimals is None else _decimal(value, decimals)
    return text if len(text) <= MAX_LENGTH else None


def _decimal(value: Fraction, decimals: int) -> str:
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).zfill(decimals + 1)
    point = len(digits) - decimals
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:point]}.{digits[point:]}".removesuffix(".")


def _decimals(denominator: int) -> int | None:
    """Return how many decimals write 1/denominator exactly; None where no number of them does."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


# What only changes how a number looks goes first, so that everything below reads plain text. In
# order: calculator marks, emphasis, tags, LaTeX, currency and percent, white space, and last the
# numbers that only count lines and steps. Every pattern is linear: no two neighbouring repeats can
# match the same character.
_CHARACTERS = str.maketrans(
    # minus signs and hyphens
    dict.fromkeys("\u2212\ufe63\uff0d\u2010\u2011", "-")
    # the spaces that separate thousands
    | dict.fromkeys("\u2007\u2009\u202f", "\xa0")
    # characters without width
    | dict.fromkeys("\u200b\u200e\u200f\u2060\ufeff")
    | {"\u2012": "\u2013", "\u2044": "/", "\xbd": " 1/2", "\xbc": " 1/4", "\xbe": " 3/4", "`": ""}
)
_WORDS_IN_LATEX = (
    r"\\(?:text(?:bf|it|rm|normal)?|math(?:bf|rm|it|sf)|operatorname|m?box) ?\{([^{}]*)\}"
)
_SILENT = (
    "left|right|quad|qquad|therefore|because|displaystyle|ldots|dots|cdots|checkmark|blacksquare"
    "|square|hline|newline"
)
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"<<[^<>\n]*>>", ""),
        # emphasis: between two digits or two spaces an asterisk multiplies
        (r"(?<!\d)\*{2,3}(?=\S)|(?<=\S)\*{2,3}(?!\d)", ""),
        (r"(?<![\w*)])\*(?=[^\s*])|(?<=[^\s*])\*(?![\w(*])", ""),
        (r"(?<!\w)_{1,2}(?=\S)|(?<=[^\s_])_{1,2}(?![\w{])", ""),
        (r"<[/|]?[A-Za-z][^<>\n]{0,40}>", " "),
        (r"\\\\(?=[A-Za-z$%])", r"\\"),
        (r"\\\\", "\n"),
        (
            r"\\!|\{,\}(?!\d{3})|\^ ?(?:\{ ?\\circ ?\}|\\circ)"
            r"|\\degree|_\{[^{}]{0,20}\}|(?<=[A-Za-z])_\d",
            "",
        ),
        (r"\\(?=[$%£€#&_])", ""),
        (r"\{,\}", ","),
        (r"\\,", "\xa0"),
        (r"(?<=\d)\xa0(?=\d{3}(?![\d/]))", ","),
        (r"\\[()\[\]]|\\[:; ]|~|\xa0", " "),
        (rf"\\(?:{_SILENT})(?![A-Za-z])|\\(?:begin|end)\{{[A-Za-z*]{{0,20}}\}}", " "),
        (r"\\times(?![A-Za-z])", "×"),
        (r"\\cdot(?![A-Za-z])", "·"),
        (r"\\div(?![A-Za-z])", "÷"),
        (r"\\neq?(?![A-Za-z])|!=", "≠"),
        (r"\\leq?(?![A-Za-z])|<=", "≤"),
        (r"\\geq?(?![A-Za-z])|>=", "≥"),
        # what comes after an arrow or an approximation is the result, as after an equals sign
        (
            r"\\(?:approx|implies|to|[Rr]ightarrow)(?![A-Za-z])|[=-]>|==|[≈→⇒]"
            r"|\bequals(?= [-$]? ?[\d.(])",
            "=",
        ),
        *[(_WORDS_IN_LATEX, r" \1 ")] * 2,
        (r"([-+])[$£€¥] ?(?=[\d.\\])", r"\1"),
        (r"\b(?:USD|EUR|GBP|US(?= ?\$)|Rs\.?|approx\.?) ?(?=[-$]? ?\d)", " "),
        (r"[$£€¥]", " "),
        (r"(?<=\d) ?%(?! ?\d)", ""),
        (r"\^ ?\{ ?(-?\d{1,9}) ?\}", r"^\1"),
        (r"(?<=\d) ?(?=\\[dtc]?frac)", " "),
        (r"\\[dtc]?frac ?\{ ?(-?[\d.,]+) ?\} ?\{ ?([\d.,]+) ?\}", r"\1/\2"),
        (r"\\[dtc]?frac ?(\d)(\d)", r"\1/\2"),
        (r"(?<![A-Za-z^_}])\{([^{}]*)\}", r"\1"),
        (r"[^\S\n]+", " "),
        (r" ?\n\s*", "\n"),
        (r"(?m)^(?:[>*•] ?)+", ""),
        (r"(?m)^ ?\(?\d{1,2}[.)] (?=\S)", ""),
        (
            r"(?i)\b(step|part|question|problem|equation|method|option|example|exercise) "
            r"#?\d{1,9}(?:\.\d{1,3}){0,3}[a-z]?\b",
            r"\1",
        ),
        (r"(?i)\bnegative (?=[\d.])", "-"),
    ]
]


def _simplify(text: str) -> str:
    text = "\n".join(text.translate(_CHARACTERS).splitlines())
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text


_MARKER = re.compile(
    r"""(?ix)
    (?P<doubt> \b(?:not|if|whether|unless) [ ] (?:(?:the|my|a|an|our|final|correct) [ ]){0,3}
      | \b(?:wrong|incorrect|previous|next|first|second|third|fourth|intermediate) [ ]
      | / )?
    (?: (?P<title> (?m:^) (?:\#{1,6}[ ])? (?:the[ ])? (?:final[ ])? answer [ ]? \n )
      | (?P<hashes> (?<!\#)\#{4}(?!\#) :? \s? )
      | (?P<box> \\(?:boxed|fbox) [ ]? \{ )
      | \b answers?\b
        (?: [ ](?:to|for|of|in|we|you|i|that|therefore|then|thus|here|now)\b
            (?:[ ][\w'()-]{1,20}){0,6}? )?
        (?: ,?[ ](?:therefore|then|thus|hence)\b,? )?
        (?: [ ]?(?P<colon> [:=] )
          | [ ](?: is | was | are | equals | comes[ ]to | (?:[a-z]{1,8}[ ]out[ ])?to[ ]be
              | (?:would|could|should|will|must)[ ]be )\b )
        [ :=]*+ \n?
    )"""
)
_SENTENCE_END = re.compile(
    r"""\n|[.!?](?=["'”’)\]}*]{0,3}(?:\s|$))|(?<=\d)[.!?](?!\d)|(?<=[a-z])\.(?=[A-Z])"""
)
_BEGINS_WITH_NUMBER = re.compile(r"""["'“‘(\[{ ]{0,4}[-+\u2013]?\.?\d""")
_DENIED = re.compile(
    r"(?i)\b(?:not|never|neither|nor|cannot|wrong|incorrect|whether)\b|n['’]t\b|\bif the answer\b"
)


def _explicit(text: str) -> Iterator[Fraction | None]:
    """Yield what each explicit marker that has a number states, the last first."""
    markers = list(_MARKER.finditer(text))
    headings = {int(number) for number in _NUMBERED_HEADING.findall(text)}
    limit = len(text)
    for marker in reversed(markers):
        if marker["box"] and not marker["doubt"]:
            yield from _boxed(text, marker)
        elif not marker["doubt"]:
            yield from _announced(text, marker, limit, headings)
        limit = marker.start()


_BOX = re.compile(r"([^{}\n]*)\}")
_BOX_BEFORE = re.compile(
    r"(?:\}[^\w\n]{0,9}(?:(?:or|and|to)[^\w\n]{0,9})?|\b(?:or|nor)[^\w\n]{1,4}|[-+*/×·÷^] ?)\Z"
)
_BOX_AFTER = re.compile(
    r"[^\w\n]{0,4}(?:or|nor|to)\b|[^\w\n]{0,9}(?:and )?[^\w\n]{0,4}\\f?box"
    r"|[^\S\n]*[-+*/×·÷^] ?[\w(]"
)


def _boxed(text: str, marker: re.Match[str]) -> Iterator[Fraction | None]:
    """Read a box.

    One of several joined boxes ("3 or 4") is unreadable, and so is one that is cut off or holds no
    number.
    """
    content = _BOX.match(text, marker.end())
    if content is None:
        yield None
    elif content[1].strip():
        before = text[max(0, marker.start() - 24) : marker.start()]
        after = text[content.end() : content.end() + 40]
        is_joined = _BOX_BEFORE.search(before) or _BOX_AFTER.match(after)
        yield None if is_joined else _stated(content[1])


# "#### 2. Add them up" or "#### 18. She sells them": a heading has a neighbour (1 or 3), and a lone
# digit is unclear
_NUMBERED_HEADING = re.compile(r"#{4} ?\(?(\d{1,2})[.)] ?(?=[A-Za-z])")


def _announced(
    text: str, marker: re.Match[str], limit: int, headings: set[int]
) -> Iterator[Fraction | None]:
    """Read the rest of a marker's sentence.

    Yields nothing where it has no number, denies it or is a heading.
    """
    heading = _NUMBERED_HEADING.match(text, marker.start()) if marker["hashes"] else None
    if heading and headings & {int(heading[1]) - 1, int(heading[1]) + 1}:
        return
    end = _SENTENCE_END.search(text, marker.end(), limit)
    sentence = text[marker.end() : end.start() if end else limit]
    first = next(_numbers(sentence), None)
    if first is None or _DENIED.search(sentence, 0, first.start):
        return
    begins = _BEGINS_WITH_NUMBER.match(sentence) is not None
    if marker["hashes"] and not (begins or "answer" in sentence.lower()):
        return
    is_question = end is not None and end[0] == "?"
    is_maybe_heading = heading is not None and int(heading[1]) < 10
    if is_question or is_maybe_heading:
        yield None
        return
    value = _stated(sentence)
    # "Answer: Janet has 9 ducks. She sells ..." opens the working: believed only where the working
    # ends there too
    opens_working = (marker["colon"] or marker["title"]) and not begins
    if opens_working and value != _last_sentence(text[marker.end() :]):
        yield None
    else:
        yield value


_CONCLUSION = re.compile(
    r"""(?ix) \W{0,4} (?:and[ ])?
    (?: so(?![ ]far\b) | therefore | thus | hence | altogether | overall | consequently
      | in[ ](?:total|all|conclusion|summary) | as[ ]a[ ]result | (?:that|this|which|it)[ ]means
      | (?:the[ ])?(?:grand[ ]|final[ ])?(?:total|result) )\b"""
)
_BARE = re.compile(r"[^A-Za-z]*")


def _last_sentence(text: str) -> Fraction | None:
    """Read the last sentence that has a number, where it ends the working.

    It does where it calculates or says that it concludes, where it repeats the last result, and
    where the text has no other number. So the 2 of "She has 18. It took 2 steps" is not read.
    """
    statements = _statements(text)
    last = next(statements, "")
    value = _concluded(last)
    if value is None or "=" in last or _CONCLUSION.match(last):
        return value
    is_other_number = False
    for count, sentence in enumerate(statements):
        # a model repeating itself without end states nothing
        if count == 100:
            return None
        if "=" in sentence:
            return value if _result(sentence) == value else None
        if count == 0 and _BARE.fullmatch(last) and not _BARE.fullmatch(sentence):
            # a number on a line of its own, which is no list of numbers
            return value
        is_other_number = is_other_number or any(
            number.value != value for number in _numbers(sentence)
        )
    return None if is_other_number else value


def _statements(text: str) -> Iterator[str]:
    """Yield the sentences that have a number, the last first; questions state nothing."""
    limit = len(text)
    ends = [*_SENTENCE_END.finditer(text), None]
    starts = [0, *(end.end() for end in ends if end)]
    for start, end in zip(reversed(starts), reversed(ends), strict=True):
        sentence = text[start : end.start() if end else limit]
        if next(_numbers(sentence), None) and (not end or end[0] != "?" or "=" in sentence):
            yield sentence


_REASON = re.compile(r"(?i)\b(?:because|since|where [a-z]{1,12} ?=)")
_DENIED_RESULT = re.compile(
    r"(?i)(?:\b(?:not|never|cannot)|n['’]t) (?:[a-z]{1,12} )?(?:[\d=(-]|[a-z] ?=)"
)


def _concluded(sentence: str) -> Fraction | None:
    """Read a sentence without marker; "18 because 9 * 2 = 18" must agree with itself."""
    first = next(_numbers(sentence), None)
    reason = _REASON.search(sentence, first.end) if first else None
    stated = _only_number(sentence[: reason.start()] if reason else sentence)
    if "=" not in sentence:
        return None if _DENIED.search(sentence) else stated
    result = None if _DENIED_RESULT.search(sentence) else _result(sentence)
    if reason and result != stated:
        return None
    return result


_IN_EQUATION = re.compile(
    r"(?: ?(?!(?:and|or|so|as|with|for|if|when|where|because|since)\b)[A-Za-z]{1,20}){0,3}"
    r" ?\)? ?(?:[+*/×÷·^=]|[-x] ?[\d(])"
)


_LEAD = re.compile(
    r"""(?ix) [^\w\n]{0,6}
    (?: (?: about | approximately | roughly | around | nearly | almost | exactly | precisely
          | simply | just | only | clearly | indeed | actually | still | therefore | thus | hence
          | then | so | equal[ ]to | (?:(?:a|the|in)[ ])?total(?:[ ]of)? ) \b [^\w\n]{1,6} ){0,4}"""
)


def _stated(sentence: str) -> Fraction | None:
    """Read what a marker announces.

    That is the result of its equation, the number it begins with, or its only number.
    """
    first, second = [*islice(_numbers(sentence), 2), None, None][:2]
    if first is None:
        return None
    if "=" not in sentence:
        if not _LEAD.fullmatch(sentence, 0, first.start):
            # "that in 3 days she makes 18": which one is meant takes understanding
            return _only_number(sentence)
        is_joined = second and _JOIN.fullmatch(sentence[first.end : second.start])
        return None if is_joined else first.value
    if (reason := _REASON.search(sentence, first.end)) and _BEGINS_WITH_NUMBER.match(sentence):
        return _stated(sentence[: reason.start()])
    result = _result(sentence)
    is_in_equation = _IN_EQUATION.match(sentence, first.end)
    comes_before_it = first.start < sentence.index("=") and not is_in_equation
    if comes_before_it and result != first.value:
        return None
    return result


_UNIT = re.compile(r"(?: ?[A-Za-z]{1,20}){0,2} ?")
_TWO_UNKNOWNS = re.compile(
    r"=[^=\d]{0,9}[\d.,/]{1,50}(?: [A-Za-z]{1,20}){0,2}"
    r" ?(?:[,;]|\band\b)(?! so\b| then\b| thus\b)[^=\d]{0,30}="
)


def _result(sentence: str) -> Fraction | None:
    """Read the number after the last equals sign.

    Where an expression follows ("18 = 9 * 2"), the one before it is the result.
    """
    if _TWO_UNKNOWNS.search(sentence):
        return None
    left, _, right = sentence.rpartition("=")
    after = list(islice(_numbers(right), 2))
    before = list(islice(_numbers(left), 2))
    if len(after) == 1 or len(before) != 1 or "=" in left:
        return _only_number(right)
    is_number_alone = _UNIT.fullmatch(left, before[0].end)
    if is_number_alone and (not after or _is_expression(right, *after)):
        return before[0].value
    return _only_number(right)


def _is_expression(text: str, first: "_Number", second: "_Number") -> bool:
    return (
        first.value is None
        and second.value is None
        and _IN_EQUATION.match(text, first.end) is not None
    )


# Two numbers with this between them are one unreadable answer: a range, an alternative, a list, a
# sum, "3 hours 20".
_JOIN = re.compile(
    r"""(?ix)
    (?![ ]\($) [^A-Za-z]*
    | \W{0,3} (?:[A-Za-z]{1,20}\W{1,3}){0,2}?
      (?:or|and|to|through|till|plus|minus|times|over|of|by|versus|vs|x|than)
      \W{1,3} (?:(?:a|an|about|maybe|perhaps|even|possibly|only|just)[ ])? \W{0,3}
    | \W{0,3}
      (?!(?:in|after|for|at|per|on|with|from|when|if|while|before|during|every|each|within|as|is
          |so|not)\b)
      [A-Za-z]{1,20} [ ,;-]{0,3}
    """
)


def _only_number(sentence: str) -> Fraction | None:
    """Return the one number `sentence` gives, once or repeated."""
    previous = None
    for count, number in enumerate(_numbers(sentence)):
        # repeated without end, too
        if number.value is None or count == 20:
            return None
        if previous is not None:
            is_joined = _JOIN.fullmatch(sentence[previous.end : number.start]) is not None
            if is_joined or number.value != previous.value:
                return None
        previous = number
    return previous.value if previous else None


@dataclass(frozen=True)
class _Number:
    start: int
    end: int
    # None: a number, but which one cannot be told
    value: Fraction | None


# "12:30" and "1,5" are taken whole and then refused
_DIGITS = r"(?:\d++(?:[.,:'’_]\d++)*+|\.\d++)"
_QUANTITY = re.compile(
    rf"""(?ix)
    (?: (?<![^\s(\[{{=:,;"'“‘|]) (?P<sign>[-+\u2013]) (?=[\d.])
      | (?<![\w.]) (?<![a-z]\^)
      | (?<=[^\x00-\x7f]) )
    (?: (?P<whole>{_DIGITS})[ ](?=\d{{1,9}}[ ]?/[ ]?\d) )?
    (?P<top>{_DIGITS}) (?: [ ]?/[ ]?(?P<bottom>{_DIGITS}) )?
    (?: (?:e|[ ]?[x×*·][ ]?10[ ]?\^\(?) (?P<power>[-+]?\d++) \)? )?
    (?: [ -]?(?P<scale>hundred|thousand|million|billion|trillion)s?\b )?
    | \b(?: zero | none | two | three | four | five | six | seven | eight | nine | ten | eleven
        | twelve | (?:thir|four|fif|six|seven|eigh|nine)teen | twenty | thirty | forty | fifty
        | sixty | seventy | eighty | ninety | hundred | thousand | [mb]illion | dozens? | half
        | twice | double | triple )\b
    | \bone\b (?<!the[ ]one) (?<!this[ ]one) (?<!that[ ]one) (?<!each[ ]one) (?<!every[ ]one)
      (?<!another[ ]one) (?![ ]of\b)
    | \\(?!f?boxed)[a-z]+
    """
)
_MORE_BEFORE = re.compile(
    r"(?i)(?:[*/×÷·+^±<≤≥≠√]|(?<!=)>|[-\u2013]) ?(?:[(\[] ?){0,2}\Z"
    r"|\u2014\Z|\b(?:sqrt|log|ln|negative|minus) ?\( ?\Z"
    r"|\b(?:at (?:least|most)|(?:more|less|fewer|greater) than|over|under|above|below|up to|times"
    r"|plus|minus|between|add(?:ing)?|subtract(?:ing)?"
    r"|(?:multipl|divid)[a-z]{1,5}(?: [a-z]{1,5})? by|sqrt|log"
    r"|(?:root|square|cube|power|factorial|third|quarter"
    r"|(?:four|fif|six|seven|eigh|nin|ten)th|percent) of(?: the)?) \Z"
)
_MORE_AFTER = re.compile(
    r"(?i) ?[*×÷·+^±%⁰¹²³⁴-⁹]| ?/(?! ?[a-z]{2})| ?x ?[\d(]| ?[-\u2013\u2014] ?[\d(]"
    r"|(?:st|nd|rd|th|[xyzn])\b|(?-i:[kKMB]|bn)\b"
    r"|[ -](?:squared|cubed|factorial|halves|thirds"
    r"|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths)\b"
    r"| to the (?:(?:[\w-]{1,12} )?power\b|-?\d|third\b|fourth\b|fifth\b)"
    r"| ?(?:[A-Za-z]{1,12} ){0,2}below (?:zero|0|freezing|sea)\b"
)


def _numbers(text: str) -> Iterator[_Number]:
    """Yield every number of one sentence.

    A number word, a bound and a part of an expression are numbers that cannot be read.
    """
    for match in _QUANTITY.finditer(text):
        start, end = match.span()
        goes_on_before = _MORE_BEFORE.search(text[max(0, start - 24) : start])
        is_part = goes_on_before or _MORE_AFTER.match(text, end)
        is_readable = match["top"] is not None and not is_part
        yield _Number(start, end, _value(match) if is_readable else None)


_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}


def _value(match: re.Match[str]) -> Fraction | None:
    top, bottom = _plain_number(match["top"]), _plain_number(match["bottom"] or "1")
    whole, power = _plain_number(match["whole"] or "0"), _power(match)
    if top is None or not bottom or whole is None or power is None:
        return None
    if match["whole"] and (whole.denominator != 1 or top >= bottom):
        # "1 234/5" is no mixed number
        return None
    value = (whole + top / bottom) * Fraction(10) ** power
    return -value if match["sign"] not in (None, "+") else value


def _power(match: re.Match[str]) -> int | None:
    digits = match["power"] or "0"
    if len(digits) > 4 or abs(int(digits)) > MAX_LENGTH:
        return None
    return int(digits) + _SCALES.get((match["scale"] or "").lower(), 0)


_PLAIN = re.compile(r"(?:[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)?(?:\.[0-9]+)?")


def _plain_number(text: str) -> Fraction | None:
    if len(text) > MAX_LENGTH or not _PLAIN.fullmatch(text):
        return None
    return Fraction(text.replace(",", ""))
