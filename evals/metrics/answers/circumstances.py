"""What a sentence says without its circumstances: "In 7 days she makes $126 for 3 friends"."""

import re


def consequence(sentence: str) -> str | None:
    """Return the last clause that says what follows: ", so there are 60 pencils"."""
    *_, cue = [None, *_CONSEQUENCE.finditer(sentence)]
    clause = sentence[cue.end() :] if cue else ""
    return clause if re.search(r"\d", clause) else None


def core(sentence: str) -> str:
    """Return the part of a sentence with several numbers that states one of them.

    What follows from the rest, then what is left without the circumstances that come before and
    after it, then what its last verb gives. A part that cannot be told apart stays.
    """
    clause = consequence(sentence) or sentence
    clause = _without_tail(_PERIOD.sub(" ", clause[_opening(clause) :]))
    return _given(clause)


_CONSEQUENCE = re.compile(
    r"(?i)[,;:] (?:and )?(?:(?:so|therefore|thus|hence)(?! (?:that|far|on|much|many)\b),?"
    r"|(?:which|this|that) (?:means|makes|gives)(?: that| us| her| him| them)?"
    r"|(?:making|for|giving) (?:a |the )?(?:grand )?total(?: of)?|totall?ing) "
)

_CONNECTION = (
    r"(?:so|therefore|thus|hence|then|finally|this[ ]means(?:[ ]that)?|daher|somit|also|donc|ainsi"
    r"|por[ ](?:lo[ ])?tanto|entonces|так[ ]что|итак|значит),?[ ]"
)
_OPENING = re.compile(
    rf"""(?ix) \W{{0,4}} (?:{_CONNECTION})?
    (?: in | after | for | within | over | during | with | at | by | on | from | given | since | if
      | when | as | because | out[ ]of | of | among | to[ ]\w{{2,12}} | nach | bei | mit | für
      | wenn | en | después[ ]de | au[ ]bout[ ]de | al[ ]cabo[ ]de | tras | con
      | para | si | après | pour | avec | через | после | за | если )
    [ ] (?P<numbers> [^\n]{{1,160}}?) ,[ ] """
)
# "In 2 hours, 20 minutes": the list goes on
_LIST = re.compile(r"(?:and|or|und|y|et|и) |\W{0,3}\d\S* [^\W\d_]{1,15}(?:,| and\b| or\b|\W*\Z)")


def _opening(clause: str) -> int:
    """Return where the main clause begins."""
    opening = _OPENING.match(clause)
    if opening is None or not re.search(r"\d", opening["numbers"]):
        return 0
    rest = clause[opening.end() :]
    is_clear = re.search(r"\d", rest) and not _LIST.match(rest)
    return opening.end() if is_clear else 0


# "in 3 Wochen insgesamt 540", "1日に", "4周后"
_TIMES = (
    r"(?:day|week|month|year|hour|minute|second|tag|woche|monat|jahr|stunde|d[íi]a|semana|mes|año"
    r"|hora|minuto|jour|semaine|mois|heure|д|недел|месяц|год|лет|час|минут)"
)
_PERIOD = re.compile(
    r"(?i)\b(?:in|after|within|nach|en|después de|après|за|через)"
    rf" \d[\d,.]{{0,9}} {_TIMES}[^\W\d_]{{0,3}}"
    r"(?= (?!(?:and|or|und|y|et|и|at|by|with|for|per|à|mit|por)\b)"
    rf"(?:[^\d\n]{{1,40}} \d|\d[\d,.]{{0,9}} (?!{_TIMES})))"
    r"|\d[\d,.]{0,9} ?(?:日|週間|週|か月|ヶ月|年|時間|分|人|周|天|个月|个?小时|个?星期)"
    r"(?:間で|以内に|後に|あたり|当たり|につき|に|で|后|後|内|中|里),? ?"
)

_PRICE = r"(?:dollars?|euros?|cents?|rupees|pesos|dólares|rubles|рубл|долл)"
_FUNCTION = (
    r"(?:in|of|at|on|for|per|to|from|with|by|each|every|and|or|is|are|left|more|less|fewer|total"
    r"|als)"
)
_NOUN = rf"(?!{_PRICE}|{_FUNCTION}\b)[^\W\d_][\w'’-]{{0,20}}"
_AMOUNT = r"(?<![\d.,])\d[\d.,/]{0,12}(?<![.,])"
_VERB = (
    r"(?:is|are|was|were|be|been|costs?|paid|pays?|earns?|earned|makes?|made|spends?|spent|weighs?"
    r"|totals?|equals?|has|have|had|gives?|leaves?|left|needs?|sold|sells|owes?|saves?|gets?"
    r"|receives?|received|becomes?|takes?|took|needed|required|requires|read|drinks?|eats?)"
)
_LIMITS = (
    r"(?:(?:an?|the|these|those|all|his|her|their|its|my|our|about|over|next|only|past|last"
    r"|first|coming|following|entire)[ ])"
)
_PREPOSITION = (
    r"(?:in|after|for|within|over|during|with|at|on|from|among|of|nach|für|mit|en|para|après|pour|за"
    r"|через|на|pendant|durante)"
)
_TAIL = re.compile(
    rf"""(?ix)
    [ ] (?: (?!of\b){_PREPOSITION} [ ] {_LIMITS}{{0,2}}
          (?:the[ ]\w{{2,12}}[ ]of[ ]{_LIMITS}{{0,2}})? {_AMOUNT} [ -]{_NOUN}
        | of [ ] (?P<content> {_AMOUNT} [ ] {_NOUN} )
        | (?P<purpose> (?:in[ ]order[ ]to|to|para|pour|um) [ ] \w{{2,12}} ) [ ] {_LIMITS}{{0,2}}
          {_AMOUNT} [ ] {_NOUN}
        | (?P<past> after[ ]\w{{2,12}}ing [ ] {_AMOUNT} )
        | (?:après[ ]avoir[ ]\w{{2,12}}|después[ ]de[ ]\w{{2,12}}|selling|buying|using
          |(?:by|after|when)[ ]\w{{2,12}}ing)
          [ ] {_LIMITS}{{0,2}} {_AMOUNT} [ ] {_NOUN}
        | (?P<span> between [ ] {_AMOUNT} [ ] and [ ] {_AMOUNT} (?:[ ]{_NOUN})? \W* \Z )
        | than [ ] (?![-$]?\d) )
    """
)
_AGO = re.compile(rf"(?i) {_AMOUNT} (?:days|weeks|months|years|hours|minutes) ago\b")
# another amount, a price, or a statement: no mere circumstance
_STATES = re.compile(
    rf"(?i)=|\b{_VERB}\b|\b(?:remaining|over and)\b|\d ?{_PRICE}"
    rf"|(?:,|\band\b)[^\d]{{0,12}}{_AMOUNT}(?! {_NOUN})"
    rf"|(?:,|\band\b)[^\d]{{0,12}}{_AMOUNT} {_NOUN} (?:for|at|on|to|in|per)\b"
    rf"|\d {_NOUN} (?:(?!{_PREPOSITION}\b|{_LIMITS}|and\b|or\b)[^\W\d_]{{1,20}} ){{0,6}}{_AMOUNT}"
)
# "types 1,000 words in 20 minutes", "turns 12 in 3 years": the time may be what is asked for
_DEADLINE = re.compile(
    r"(?i)\b(?:finish|complet|reach|turn|fill|paint|build|done|empt|can|could|able|arriv|hit|cover"
    r"|until|exactly|ready|same|twice|schafft|kann|puede|peut|может)"
)
# "needs 5 boxes to store 60 books", but not "adds 5 to make 60"
_NEEDS = re.compile(
    r"(?i)\b(?:needs?|needed|takes?|took|requires?|required|costs?|necesita|tarda|faut|besoin)\b"
    r"[^\d]{0,30}\d[\d.,/]*[^\d]{0,30}\Z"
)
# "5 hours a day for 6 days"
_RATE = re.compile(
    r"(?i)\d[^,\d]{0,30} (?:(?:per|each|every)\b|an? (?:day|week|month|year|hour)\b)"
)
_TIME = re.compile(r"(?i) (?:in|within|after|en|за|через|nach) \D{0,12}[\d.,]+[ -](?!\d)")


_MORE = re.compile(r"(?i)\d(?: [\w-]{1,20}){0,2} (?:more|less|fewer|\w+er)\b")


def _without_tail(clause: str) -> str:
    """Return a clause without the circumstances behind its first number."""
    clause = _AGO.sub("", clause)
    first = re.search(r"\d", clause)
    tail = _TAIL.search(clause, first.end()) if first else None
    if tail is None:
        return clause
    head, rest = clause[: tail.start()], clause[tail.start() :]
    return head if _is_circumstance(tail, head, rest) else clause


def _is_circumstance(tail: re.Match[str], head: str, rest: str) -> bool:
    if rest.startswith(" than "):
        return _MORE.search(head) is not None
    if tail["content"] and not re.search(rf"\d {_NOUN}\Z", head):
        return False
    if tail["purpose"]:
        return _NEEDS.search(head) is not None
    if not (tail["span"] or tail["past"]) and _STATES.search(rest, 1):
        return False
    is_deadline = _TIME.match(rest) and _DEADLINE.search(head)
    is_factor = rest.startswith(" for ") and _RATE.search(head)
    return not (is_deadline or is_factor)


_RESULT = re.compile(
    rf"""(?ix) \b (?: {_VERB} | will[ ]be | insgesamt | a[ ]total[ ]of | en[ ]total | au[ ]total )
    (?:[ ](?:only|about|exactly|approximately|a[ ]total[ ]of|still|insgesamt|around|just))? [ ]
    (?= [-+]?\d[\d.,/]*(?:[ -][^\W\d_]{{1,15}}){{0,8}}\W*\Z )"""
)
# "works 25 hours to earn 400", but not "needs to pay 400"
_AIM = re.compile(r"(?i)(?<!needs)(?<!need)(?<!has)(?<!have)(?<!had)(?<!able)(?<!going) to \Z")
_OTHER_SUBJECT = re.compile(
    r"(?i)\b(?:who|whose|whom|which|than|as (?:much|many)|while|whereas|because|since|if|although"
    r"|instead|but|twice|half)\b|;"
)


def _given(clause: str) -> str:
    """Return what the last verb gives, where only that verb gives a number."""
    result = _RESULT.search(clause)
    if result is None:
        return clause
    subject = clause[: result.start()]
    between = re.split(r"\d", subject)[-1]
    is_statement = re.search(rf"(?i)\b{_VERB} (?:\w{{1,12}} )?[-+]?\d", subject)
    if _AIM.search(subject):
        return clause
    if is_statement or _OTHER_SUBJECT.search(subject) or re.search(r"(?i)\b(?:and|or)\b", between):
        return clause
    return clause[result.end() :]
