"""Answers that are taken back: "The answer is 41. Wait, no: it is 42."."""

import re
from fractions import Fraction

from stagelift.evals.metrics.answers.conclusions import concludes, conclusion
from stagelift.evals.metrics.answers.numerals import numbers
from stagelift.evals.metrics.answers.sentences import NO_HINTS, SENTENCE_END, stated


def standing(value: Fraction | None, rest: str) -> Fraction | None:
    """Return what holds after `value` was stated and `rest` was said.

    That is `value`, or what replaced it; None where it was taken back and nothing clear came.
    """
    if (cue := _TAKEN_BACK.search(rest)) is not None:
        instead = _instead(rest[cue.start() :])
        return instead if instead is not None else _concluded(rest[cue.start() :])
    if (cue := _LOOKED_AT_AGAIN.search(rest)) is None:
        return value
    again = rest[cue.end() :]
    instead = _instead(again)
    if instead is not None:
        return instead
    end = conclusion(again, NO_HINTS)
    if end is not None and end.value == value:
        # "Hmm, 40 + 1 = 41. Yes, 41."
        return value
    is_check = cue["check"] is not None
    others = {number.value for number in numbers(_first_sentence(again))} - {value}
    return value if is_check or not others else None


_TAKEN_BACK = re.compile(
    r"""(?ix)
    (?: \A | [.!?…,;:—–(\n-] ) [ \n]? (?: (?:oh|hmm+|ah|but|actually|um|ok|okay) [ ,.…]{1,4} )?
      (?: wait\b (?![ ](?:time|list|for)\b) | no (?= [,.!:;…] | [ ](?:wait|that|it) )
        | nope | oops | whoops | hold[ ]on | correction | corrected | my[ ]bad | edit: )
    | \A [ ]? (?:is|was)[ ](?:wrong|incorrect|not[ ](?:right|correct))\b
    | \b(?: or[ ](?:rather|maybe|perhaps|possibly) | i[ ]meant?
        | on[ ]second[ ]thoughts? | scratch[ ]that | strike[ ]that
        | i[ ](?:made|have[ ]made|see)[ ](?:an?|my|the)[ ](?:[a-z]+[ ])?(?:mistake|error)
        | made[ ]an?[ ](?:[a-z]+[ ])?(?:mistake|error)
        | (?:that|this|it|which|answer|above|calculation|result)(?:['’]s|[ ]is|[ ]was)
          [ ](?:actually[ ]|clearly[ ]|obviously[ ])?
          (?:wrong|incorrect|mistaken|not[ ]right|not[ ]correct|a[ ]mistake)
        | (?:that|this|it|that['’]s)
          [ ](?:isn['’]t|wasn['’]t|can['’]t[ ]be|cannot[ ]be|not)[ ](?:right|correct)
        | i[ ](?:was|am)[ ]wrong | miscalculated | miscounted | misread | i[ ]forgot
        | my[ ](?:mistake|apologies|error) | correction | erratum
        | let[ ]me[ ](?:correct|fix|redo|revise|reconsider|recalculate|try[ ]again|start[ ]over)
        | (?:need|have)[ ]to[ ](?:correct|revise|fix)
        | espera | perdón | mejor[ ]dicho | o[ ]más[ ]bien | corrección | me[ ]equivoqué
        | attends | attendez | ou[ ]plutôt | je[ ]me[ ]suis[ ]trompée? | erreur
        | moment[ ]mal | warte
        | halt | nein | quatsch | besser[ ]gesagt | korrektur
        | ich[ ]habe[ ]mich[ ](?:verrechnet|geirrt)
        | погоди | подожди(?:те)? | стоп | вернее | точнее | исправ\w{1,9} | ошиб\w{1,9} | нет(?=,)
        | aspetta | anzi | scusa | espere | aliás | errei | wacht | subiri | samahani | hapana(?=,)
        )\b
    | 等等 | 等一下 | 不对 | 不對 | 更正 | 应该是 | 應該是 | 抱歉 | いや、 | いや, | 待って | 訂正
    | 間違 | 아니, | 잠깐 | 정정 | รอเดี๋ยว | ขอแก้ | ไม่ใช่สิ | অপেক্ষা | দুঃখিত | ఆగండి | క్షమించండి
    """
)
_LOOKED_AT_AGAIN = re.compile(
    r"(?i)\b(?:actually|hmm+|sorry|apologi[sz]e)\b|[.!\n] ?(?:however|but|although)\b"
    r"|(?P<check>\b(?:re-?check|re-?count|re-?calculat|re-?read|double[- ]check|upon re"
    r"|on re)[a-z]*)"
)
_INSTEAD = re.compile(
    r"""(?ix) \b(?: (?:it|that|he|she|answer)(?:['’]s|[ ]is|[ ]was)
        (?:[ ](?:actually|really|in[ ]fact|rather))?
      | (?:should|must|ought[ ]to)[ ](?:actually[ ]|really[ ]|have[ ]|rather[ ])?be(?:en)?
      | i[ ]meant?
      | (?:or[ ])?rather | correction | make[ ](?:it|that) | (?:is|was)[ ]actually
      | (?:correct|right|actual|true|real|new|final|corrected|revised|proper)[ ]
        (?:answer|value|number|result|total|amount)(?:[ ](?:is|was|should[ ]be|would[ ]be))?
      | that['’]s ) \b [ ,:=]{1,3} (?=[-$(]{0,2}[\d.]) """
)


def _instead(again: str) -> Fraction | None:
    """Read the last thing that is named in place of the number that was taken back."""
    value = None
    for cue in _INSTEAD.finditer(again):
        value = stated(_first_sentence(again[cue.end() : cue.end() + 200]))
    return value


def _concluded(again: str) -> Fraction | None:
    end = conclusion(again, NO_HINTS)
    if end is None:
        return None
    sentence = _first_sentence(again[end.start :])
    return end.value if concludes(sentence) or "=" in sentence else None


def _first_sentence(text: str) -> str:
    end = SENTENCE_END.search(text)
    return text[: end.start()] if end else text
