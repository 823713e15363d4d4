"""What a response without a marker concludes in its last sentence."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from stagelift.evals.metrics.answers.circumstances import consequence
from stagelift.evals.metrics.answers.numerals import numbers
from stagelift.evals.metrics.answers.sentences import (
    MANY,
    SENTENCE_END,
    Hints,
    Statement,
    concluded,
    result_of,
)


def conclusion(text: str, hints: Hints) -> Statement | None:
    """Return what the last sentence that has a number states; None where there is no number.

    Its value is read where it ends the working: where it calculates or says that it concludes,
    where it repeats the last result, and where the text has no other number. So the 2 of "She has
    18. It took 2 steps" is not read.
    """
    last = next(_statements(text), None)
    if last is None:
        return None
    start, sentence = last
    ends = [number.end for number in islice(numbers(sentence), MANY)]
    value = _value(text, sentence, hints) if len(ends) < MANY else None
    return Statement(start, start + ends[-1], value)


def _value(text: str, last: str, hints: Hints) -> Fraction | None:
    value = concluded(last, hints)
    is_conclusion = "=" in last or concludes(last) or consequence(last) is not None
    if value is None or is_conclusion or value == hints.bold:
        return value
    is_other_number = False
    for count, (_, sentence) in enumerate(islice(_statements(text), 1, None)):
        # a model repeating itself without end states nothing
        if count == 100:
            return None
        if "=" in sentence:
            return value if result_of(sentence) == value else None
        if count == 0 and _BARE.fullmatch(last) and not _BARE.fullmatch(sentence):
            # a number on a line of its own, which is no list of numbers
            return value
        is_other_number = is_other_number or any(
            number.value != value for number in islice(numbers(sentence), MANY)
        )
    return None if is_other_number else value


def last_result(text: str) -> Fraction | None:
    """Return the result of the last equation."""
    for count, (_, sentence) in enumerate(_statements(text)):
        if "=" in sentence:
            return result_of(sentence)
        if count == 20:
            return None
    return None


def concludes(sentence: str) -> bool:
    """Say whether a sentence begins as a conclusion does: "Therefore", "Insgesamt", 所以."""
    return _CONCLUSION.match(sentence) is not None


_WORDS = (
    r"so(?![ ]far\b)|therefore|thus|hence|altogether|overall|consequently|accordingly|finally"
    r"|in[ ](?:total|all|conclusion|summary|the[ ]end)|as[ ]a[ ]result"
    r"|(?:that|this|which|it)[ ]means"
    r"|(?:the[ ])?(?:grand[ ]|final[ ])?(?:total|result)|we[ ](?:conclude|find|get)|to[ ]conclude"
    r"|por[ ](?:lo[ ])?tanto|entonces|así[ ]que|en[ ]total|en[ ]conclusión|luego|por[ ]consiguiente"
    r"|donc|ainsi|par[ ]conséquent|au[ ]total|en[ ]tout|finalement"
    r"|daher|deshalb|somit|folglich|insgesamt|damit|demnach"
    r"|(?-i:Also)(?=[ ](?:hat|haben|ist|sind|muss"
    r"|[a-zäöü]{2,12}[tn][ ](?:sie|er|es|man|wir|die|der|das|[A-ZÄÖÜ])))"
    r"|(?:sie|er|es|man|das)[ ][a-zäöü]{2,15}t[ ](?:also|somit|daher|damit|insgesamt)"
    r"|[a-z']{1,12}(?:[ ][a-z']{1,12}){0,2},?[ ](?:therefore|thus)"
    r"|[^\W\d_]{1,12}(?:[ ][^\W\d_]{1,12}){0,2}[ ](?:donc|por[ ](?:lo[ ])?tanto)"
    r"|следовательно|поэтому|итак|таким[ ]образом|значит|итого|всего|в[ ]итоге|в[ ]сумме"
    r"|kwa[ ]hiyo|kwa[ ]hivyo|hivyo|jumla|quindi|pertanto|dunque|in[ ]totale|portanto|logo|então"
    r"|no[ ]total|dus|daarom|in[ ]totaal|więc|zatem|razem|łącznie|alltså|därför|totalt|vậy|do[ ]đó"
    r"|jadi|oleh[ ]karena[ ]itu|dolayısıyla|bu[ ]nedenle|toplam"
)
_WORDS_UNSPACED = (
    "因此|所以|总共|一共|总计|共计|综上|于是|故|總共|したがって|従って|よって|だから|つまり|合計|それで|따라서|그러므로|결국|총"
    "|ดังนั้น|เพราะฉะนั้น|รวม|সুতরাং|অতএব|তাই|মোট|কাজেই|కాబట్టి|అందువల్ల|కనుక|మొత్తం|इसलिए|अतः|कुल|लذلك|لذلك|إذن|وبالتالي"
)
_CONCLUSION = re.compile(
    rf"(?ix) \W{{0,4}} (?:(?:and|y|et|und|и)[ ])? (?: (?:{_WORDS})\b | {_WORDS_UNSPACED} | ∴ )"
)
_BARE = re.compile(r"[\W\d_]*(?:(?<=\d)[ ]?[^\W\d_]{1,12}\W{0,3})?")


_CHECK = re.compile(
    r"(?i)\W{0,4}(?:(?:let['’]s |let me |to )?(?:double-)?(?:check|verify)|verification)"
)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each sentence with a number begins, and it, the last first.

    Questions and checks ("Check: 12 / 4 = 3") state nothing.
    """
    limit = len(text)
    ends = [*SENTENCE_END.finditer(text), None]
    starts = [0, *(end.end() for end in ends if end)]
    for start, end in zip(reversed(starts), reversed(ends), strict=True):
        sentence = text[start : end.start() if end else limit]
        if _CHECK.match(sentence):
            continue
        if next(numbers(sentence), None) and (not end or end[0] != "?" or "=" in sentence):
            yield start, sentence
