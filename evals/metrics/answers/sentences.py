"""Which number one sentence states, where it has several."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise

from stagelift.evals.metrics.answers.circumstances import consequence, core
from stagelift.evals.metrics.answers.numerals import Number, numbers
from stagelift.evals.metrics.answers.words import spelled

# a sentence with as many numbers states none of them
MANY = 20
SENTENCE_END = re.compile(
    r"""\n|[.!?](?=["'”’)\]}*]{0,3}(?:\s|$))|(?<=\d)[.!?](?![\d.(])|(?<=[a-z])\.(?=[A-Z])"""
)
BEGINS_WITH_NUMBER = re.compile(r"""["'“‘(\[{ ]{0,4}[-+\u2013]?\.?\d""")
DENIED = re.compile(
    r"(?i)\b(?:not|never|neither|nor|cannot|wrong|incorrect|whether|nicht|kein|falsch|no es|no son"
    r"|n'est pas|ne sont pas|incorrecta|non è|não é|niet|sio|si sahihi)\b|n['’]t\b"
    r"|\bif the answer\b|\bне (?:\d|равн|являет)|неверн"
    r"|неправильн|不是|错误|錯誤|ではない|ではありません|ไม่ใช่"
    r"|নয়|కాదు|नहीं|아니"
)


@dataclass(frozen=True)
class Statement:
    """A number that is stated: where its marker or sentence begins, where the number ends.

    `value` is None where it cannot be read.
    """

    start: int
    end: int
    value: Fraction | None


@dataclass(frozen=True)
class Hints:
    """What the rest of a response says about the number it is going to state.

    The result of its last equation, and the number in bold type; None where there is none. How
    often it names each number.
    """

    result: Fraction | None = None
    bold: Fraction | None = None
    named: Mapping[Fraction, int] = field(default_factory=dict)


NO_HINTS = Hints()


def stated(sentence: str, hints: Hints = NO_HINTS) -> Fraction | None:
    """Read what a marker announces.

    That is the result of its equation, the number it begins with, or the one it is about.
    """
    first, second = [*islice(numbers(sentence), 2), None, None][:2]
    if first is None:
        return None
    if (value := spelled(sentence)) is not None:
        return value
    if "=" not in sentence:
        if not _LEAD.fullmatch(sentence, 0, first.start):
            return main_number(sentence, hints)
        is_other = second and second.value != first.value
        is_joined = is_other and second and _JOIN.fullmatch(sentence, first.end, second.start)
        return None if is_joined or _AND_ANOTHER.search(sentence, first.end) else first.value
    if (reason := _REASON.search(sentence, first.end)) and BEGINS_WITH_NUMBER.match(sentence):
        return stated(sentence[: reason.start()], hints)
    result = result_of(sentence)
    is_in_equation = _IN_EQUATION.match(sentence, first.end)
    comes_before_it = first.start < sentence.index("=") and not is_in_equation
    if comes_before_it and result != first.value:
        return None
    return result


def concluded(sentence: str, hints: Hints = NO_HINTS) -> Fraction | None:
    """Read a sentence without marker; "18 because 9 * 2 = 18" must agree with itself."""
    first = next(numbers(sentence), None)
    reason = _REASON.search(sentence, first.end) if first else None
    value = main_number(sentence[: reason.start()] if reason else sentence, hints)
    if "=" not in sentence:
        return None if DENIED.search(sentence) else value
    if _DENIED_RESULT.search(sentence):
        return None
    if (clause := consequence(sentence)) is not None:
        # "2x + 3 = 11, which gives x = 4"
        return concluded(clause, hints)
    result = result_of(sentence)
    if reason and result != value:
        return None
    return result


# "41 for part (a) and for part (b) it is 42"
_AND_ANOTHER = re.compile(r"\b(?:and|but)\b[^=]{0,40}\b(?:is|are) [-$]?\d")
_REASON = re.compile(r"(?i)\b(?:because|since|where [a-z]{1,12} ?=)")
_DENIED_RESULT = re.compile(
    r"(?i)(?:\b(?:not|never|cannot)|n['’]t) (?:[a-z]{1,12} )?(?:[\d=(-]|[a-z] ?=)"
)
_IN_EQUATION = re.compile(
    r"(?: ?(?!(?:and|or|so|as|with|for|if|when|where|because|since)\b)[A-Za-z]{1,20}){0,3}"
    r" ?\)? ?(?:[+*/×÷·^=]|[-x] ?[\d(])"
)
_LEAD = re.compile(
    r"""(?ix) [^\w\n]{0,6}
    (?: (?: about | approximately | roughly | around | nearly | almost | exactly | precisely
          | simply | just | only | clearly | indeed | actually | still | therefore | thus | hence
          | then | so | equal[ ]to | (?:(?:a|the|in)[ ])?total(?:[ ]of)? | therefore | also | ganz
          | genau | insgesamt | etwa | ungefähr | aproximadamente | exactamente | environ | ровно
          | примерно | approximativement | exactement | igual[ ]a | égale?[ ]à | gleich | sawa[ ]na
          | takriban | 约 | 約 | 共 | 一共 | 总共 | 大约 | เท่ากับ | ทั้งหมด | মোট | మొత్తం
        ) (?![^\W\d_]) [^\w\n]{0,6} ){0,4}"""
)
_UNIT = re.compile(r"(?: ?[^\W\d_]{1,20}){0,2} ?")
_TWO_UNKNOWNS = re.compile(
    r"=[^=\d]{0,9}[\d.,/]{1,50}(?: [A-Za-z]{1,20}){0,2} ?"
    r"(?:[,;]|\b(?:and|or|und|oder|y|o|et|ou|и|или)\b|[和或])(?! so\b| then\b| thus\b)[^=\d]{0,30}="
)


def is_number_alone(text: str, number: Number) -> bool:
    """Say whether `text` is `number` and a unit."""
    return number.start == 0 and _UNIT.fullmatch(text, number.end) is not None


def result_of(sentence: str) -> Fraction | None:
    """Read the number after the last equals sign.

    Where an expression follows ("18 = 9 * 2"), the one before it is the result.
    """
    if _TWO_UNKNOWNS.search(sentence):
        return None
    left, _, right = sentence.rpartition("=")
    after = list(islice(numbers(right), 2))
    before = list(islice(numbers(left), 2))
    if len(after) > 1 and len(before) == 1 and "=" not in left:
        is_alone = _UNIT.fullmatch(left, before[0].end)
        if is_alone and _is_expression(right, *after):
            return before[0].value
    if not after and len(before) == 1 and "=" not in left:
        return before[0].value if _UNIT.fullmatch(left, before[0].end) else None
    return _only_number(right) if len(after) < 2 else _first_of(right, left)


def _first_of(right: str, left: str) -> Fraction | None:
    """Read "6 pens with $18" behind "18 / 3 =": 18 is nothing new, nor are "the 3 months"."""
    first, *others = islice(numbers(right), 6)
    if len({number.value for number in (first, *others)}) == 1:
        return _only_number(right)
    is_clear = all(
        number.value == first.value
        or right[number.start : number.end].strip() in left
        or _is_aside(right, number, first)
        for number in others
    )
    if len(others) == 5 or not is_clear or _is_range(right, [first, *others]):
        return None
    return first.value if BEGINS_WITH_NUMBER.match(right) else None


def _is_expression(text: str, first: Number, second: Number) -> bool:
    return (
        first.value is None
        and second.value is None
        and _IN_EQUATION.match(text, first.end) is not None
    )


# Two numbers with this between them are one unreadable answer: a range, an alternative, a list, a
# sum, "3 hours 20".
_JOIN = re.compile(
    r"""(?ix)
    (?![ ]\($) [\W\d_]*
    | \W{0,3} (?:[^\W\d_]{1,20}\W{1,3}){0,2}?
      (?:or|and|to|through|till|plus|minus|times|over|of|by|versus|vs|x|than|oder|und|bis|mal|von
        |o|y|a|ou|et|à|sur|или|и|до|из|e|ed|of|en|tot|au|na|hadi|ถึง|หรือ|และ|থেকে|বা|এবং|से|या|और
        |到|至|或|和|または|または|から|か|と|또는|에서|과|와)
      \W{1,3} (?:(?:a|an|about|maybe|perhaps|even|possibly|only|just)[ ])? \W{0,3}
    | \W{0,3}
      (?!(?:in|after|for|at|per|on|with|from|when|if|while|before|during|every|each|within|as|is
          |so|not|pro|je|por|en|par|за|в|kwa|für|für|à)\b)
      [^\W\d_]{1,20} [ ,;-]{0,3}
    """
)


def _only_number(sentence: str) -> Fraction | None:
    """Return the one number `sentence` gives, once or repeated."""
    previous = None
    for count, number in enumerate(numbers(sentence)):
        # repeated without end, too
        if number.value is None or count == MANY:
            return None
        if previous is not None:
            is_joined = _JOIN.fullmatch(sentence, previous.end, number.start) is not None
            if is_joined or number.value != previous.value:
                return None
        previous = number
    return previous.value if previous else None


# what is known already: "the 3 boxes", "each of the 4 friends", "all 3", "day 5"
_KNOWN = re.compile(
    r"(?i)\b(?:the|these|those|all|his|her|their|its|your|our|my|other|both|each of|every|first"
    r"|jede[rs]? der|last|next"
    r"|day|week|month|year|step|page|level|grade|aged?|den|die|las|los|les|ces|этих|все"
    r"|alle|sus|ses|seine[rn]?|ihre[rn]?|todas|todos|di|每)(?: (?:other|same|remaining))? \Z"
    r"|\b(?-i:(?!That|It|He|She|There|What|Here|Let)[A-Z][a-z]{1,15})['’]s \Z|[这那每這]\Z"
    r"|\b(?i:кажд[а-я]{2,3} из) \Z"
)
# "in 7 days she makes", "after buying 3 books she has", "for each of 5 days"
_CIRCUMSTANCE = re.compile(
    r"(?i)(?:\A|[,;:] ?|\b(?:that|so|therefore|thus|hence|dass|que|что|daher|also|donc|entonces) )"
    r"\W{0,3}"
    r"(?:in|after|for|within|over|during|with|at|by|on|from|given|since|if|when|nach|bei|mit|für|an"
    r"|en|después de|tras|por|con|para|après|pour|avec|pendant|за|через|после|в|на|с|dopo|per"
    r"|depois de|em|kwa|baada ya)"
    # "in total they picked 87" and "on Monday she sold 12" are statements
    r"(?: (?!(?:total|all|conclusion|summary|fact|average|end|i|he|she|it|they|we|you|there|er"
    r"|sie|es|il|elle|ils|elles|él|ella|он|она|они)\b)[^\W\d_]{1,12}){0,2} \Z"
)


def main_number(sentence: str, hints: Hints = NO_HINTS) -> Fraction | None:
    """Return the number a sentence is about.

    That is its only one; the one in bold type or calculated just before; or the one left without
    what is known already ("the 3 boxes") and circumstances ("in 7 days").
    """
    value = _main_number(sentence, hints)
    if value is not None:
        return value
    value = _main_number(core(sentence), hints)
    return None if value is None or _is_given(value, sentence, hints) else value


def _is_given(value: Fraction, sentence: str, hints: Hints) -> bool:
    """Say whether another number of a sentence is the new one: "she makes the 126 in 7 days"."""
    here = Counter(number.value for number in islice(numbers(sentence), MANY))
    others = {other for other in here if other is not None} - {value}
    if hints.result in others:
        return True
    new = {other for other in {value, *others} if hints.named.get(other, 0) <= here[other]}
    return value not in new and bool(new)


def _main_number(sentence: str, hints: Hints) -> Fraction | None:
    several = list(islice(numbers(sentence), 8))
    if len({number.value for number in several}) < 2:
        return _only_number(sentence)
    if len(several) == 8 or _is_range(sentence, several):
        return None
    values = [number.value for number in several]
    telling = {
        value for value in (hints.bold, hints.result) if value in values and value is not None
    }
    if hints.bold in telling:
        return hints.bold
    left = [number for number in several if not _is_aside(sentence, number, several[0])]
    about = left[0].value if len(left) == 1 else None
    if telling and about is not None and about not in telling:
        return about if hints.result == several[0].value and several[0] not in left else None
    return hints.result if telling else about


def _is_range(sentence: str, several: list[Number]) -> bool:
    """Say whether two numbers are joined, as in "3 or 4" and "3 hours 20"."""
    pairs = pairwise(several)
    return any(
        _JOIN.fullmatch(sentence, a.end, b.start) and not _gets(sentence, a, b) for a, b in pairs
    )


# people and things in the plural, no unit and no conjunction
_RECEIVERS = re.compile(
    r" (?!(?:hours|minutes|days|weeks|months|years|feet|yards|pounds|miles|meters|dollars|times"
    r"|degrees|stunden|tage|wochen|jahre|monate|euros?|horas|heures)\b)"
    r"[^\W\d_]{3,20}(?:s|ren|ple|de|en) "
)


def _gets(sentence: str, a: Number, b: Number) -> bool:
    """Say whether `b` is what those who are known get: "gives the 4 friends 12"."""
    before = sentence[max(0, a.start - 60) : a.start]
    is_known = _KNOWN.search(before) is not None
    return is_known and _RECEIVERS.fullmatch(sentence, a.end, b.start) is not None


def _is_aside(sentence: str, number: Number, first: Number) -> bool:
    before = sentence[max(0, number.start - 60) : number.start]
    is_circumstance = number == first and _CIRCUMSTANCE.search(before) is not None
    return is_circumstance or _KNOWN.search(before) is not None
