"""Explicit markers: `####`, "the answer is", `Answer:` and their like in other languages."""

import re
from collections.abc import Iterator
from fractions import Fraction

from stagelift.evals.metrics.answers.conclusions import concludes, conclusion
from stagelift.evals.metrics.answers.numerals import numbers
from stagelift.evals.metrics.answers.sentences import (
    BEGINS_WITH_NUMBER,
    DENIED,
    SENTENCE_END,
    Hints,
    Statement,
    stated,
)
from stagelift.evals.metrics.answers.words import spelled


def announced(text: str, hints: Hints) -> Iterator[Statement]:
    """Yield what each marker that has a number states, the last first."""
    markers = list(_MARKER.finditer(text))
    headings = {int(number) for number in _NUMBERED_HEADING.findall(text)}
    limit = len(text)
    for marker in reversed(markers):
        if not marker["doubt"]:
            yield from _announced(text, marker, limit, headings, hints)
        limit = marker.start()


_NOUNS = (
    "respuesta|resultado|réponse|résultat|antwort|ergebnis|lösung|ответ|відповідь|risposta"
    "|resposta|antwoord|odpowiedź|svaret|svar|cevap|yanıt|jawabannya|jawaban|jibu|jawabu|vastaus"
    "|odpověď|válasz|răspuns|răspunsul|απάντηση|תשובה|التשובה"
)
_NOUNS_UNSPACED = (
    "答案|答え|正解|回答|解答|答|คำตอบ|ตอบ|উত্তর|সমাধান|సమాధానం|జవాబు|उत्तर|जवाब|정답|답변|답|đáp số"
    "|đáp án|câu trả lời|الجواب|الإجابة|جواب|پاسخ"
)
_VERBS = (
    "es igual a|es|son|sería|est égale? à|est de|est|sont|serait|ist gleich|ist|sind|lautet|beträgt"
    "|wäre|è|sono|é|são|is|zijn|är|er|jest|to|wynosi|ni|adalah|là|равен|равна|равно|составляет|on|je"
    "|este|είναι"
)
_VERBS_UNSPACED = (
    "应该是|應該是|就是|等于|等於|是|为|為|は|คือ|เท่ากับ|হলো|হল|হবে|হচ্ছে|টি হল"
    "|টি হলো|টি|ఏమిటంటే|है|은|는|هو|هي"
)
_MARKER = re.compile(
    rf"""(?ix)
    (?P<doubt> \b(?:not|if|whether|unless|wenn|ob|si|se|если) [ ]
        (?:(?:the|my|a|an|our|final|correct|die|la|el|le) [ ]){{0,3}}
      | \b(?:wrong|incorrect|previous|next|first|second|third|fourth|intermediate|falsche) [ ]
      | / )?
    (?: (?P<title> (?m:^) (?:\#{{1,6}}[ ])? (?:the[ ])? (?:final[ ])?
          (?:answer | result | {_NOUNS} | {_NOUNS_UNSPACED}) [ ]? \n )
      | (?P<hashes> (?<!\#)\#{{4}}(?!\#) :? \s? )
      | (?P<line> (?m:^) (?:a[ ]?:|ans[.:]|(?:final[ ]|the[ ])?(?:result|solution)[ ]?:|r[ ]?:) [ ]?
          (?=[^\n]{{0,60}}\Z) )
      | \b answers?\b
        (?: [ ](?:to|for|of|in|we|you|i|that|therefore|then|thus|here|now)\b
            (?:[ ][\w'()-]{{1,20}}){{0,6}}? )?
        (?: ,?[ ](?:therefore|then|thus|hence)\b,? )?
        (?: [ ]?(?P<colon> [:=] )
          | [ ](?: is | was | are | equals | comes[ ]to | (?:[a-z]{{1,8}}[ ]out[ ])?to[ ]be
              | (?:would|could|should|will|must)[ ]be )\b )
        [ :=]*+ \n?
      | \b(?:{_NOUNS})\b
        (?:,?[ ](?!(?:no|nicht|pas|non|не|não|niet|sio|inte)\b)[^\W\d_]{{1,15}}){{0,4}}?
        (?: [ ]?(?P<colon_abroad> [:=—–] | -(?=[ ]) ) | [ ](?:{_VERBS})\b | (?=[ ]\d) )
        [ :=]*+ \n?
      | (?:{_NOUNS_UNSPACED}) (?: [ ]?[^\s\d.,:=\u2e80-\u9fff]{{1,20}} ){{0,2}}?
        (?: [ ]?(?P<colon_unspaced> [:=—–] ) | [ ]?(?:{_VERBS_UNSPACED}) | (?=[ ]?\d) )
        [ :=,]*+ \n?
    )"""
)
# "#### 2. Add them up" or "#### 18. She sells them": a heading has a neighbour (1 or 3), and a lone
# digit is unclear
_NUMBERED_HEADING = re.compile(r"#{4} ?\(?(\d{1,2})[.)] ?(?=[A-Za-z])")


def _announced(
    text: str, marker: re.Match[str], limit: int, headings: set[int], hints: Hints
) -> Iterator[Statement]:
    """Read the rest of a marker's sentence.

    Yields nothing where it has no number, denies it or is a heading.
    """
    heading = _NUMBERED_HEADING.match(text, marker.start()) if marker["hashes"] else None
    if heading and headings & {int(heading[1]) - 1, int(heading[1]) + 1}:
        return
    end = SENTENCE_END.search(text, marker.end(), limit)
    sentence = text[marker.end() : end.start() if end else limit]
    first = next(numbers(sentence), None)
    if first is None or DENIED.search(sentence, 0, first.start):
        return
    begins = (BEGINS_WITH_NUMBER.match(sentence) or spelled(sentence)) is not None
    if marker["hashes"] and not (begins or "answer" in sentence.lower()):
        return
    is_question = end is not None and end[0] == "?"
    is_maybe_heading = heading is not None and int(heading[1]) < 10
    value = None if is_question or is_maybe_heading else stated(sentence, hints)
    if is_question:
        value = _working_ends_in(text[marker.end() + len(sentence) :], None, hints)
    # "Answer: Janet has 9 ducks. She sells ..." opens the working: believed only where the working
    # ends there too
    colon = marker["colon"] or marker["colon_abroad"] or marker["colon_unspaced"]
    opens_working = (colon or marker["title"] or marker["line"]) and not begins
    if opens_working:
        value = _working_ends_in(text[marker.end() :], value, hints)
    yield Statement(marker.start(), marker.end() + first.end, value)


def _working_ends_in(working: str, opening: Fraction | None, hints: Hints) -> Fraction | None:
    end = conclusion(working, hints)
    if end is None or not (end.value == opening or concludes(working[end.start :])):
        return None
    return end.value
