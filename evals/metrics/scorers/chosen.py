"""Which of some options a response chooses, where it chooses one for certain.

What is thought is not said. Then decide, in order: a tag or a JSON key, a box, "the answer is",
the whole response, its last line, its first line, and a text or a letter in brackets that is named
alone. Where two are named, or one is denied, none is chosen: a response is not right by accident.
"""

import re
from collections.abc import Iterator, Mapping

from stagelift.evals.metrics.answers.enclosed import enclosed
from stagelift.evals.metrics.answers.plain import plain
from stagelift.evals.metrics.answers.turns import own_turn
from stagelift.evals.metrics.scorers.texts import normalised, spoken

# the options' texts by letter; a text is empty where there are letters alone
Options = Mapping[str, str]

_BOX = re.compile(r"\\boxed ?\{([^{}\n]{0,300})\}")
_MARKER = re.compile(
    r"(?i)\b(?:answer|choice|option|label|antwort|respuesta|réponse)\b(?: to [^\n:]{1,80}?)?"
    r"\s{0,3}(?:(?:is|are|would be|should be|must be|ist|es|est)\b[\s:=]{0,3}|[:=]\s{0,3})"
    r"(?:(?:probably|likely|most likely|clearly|definitely|therefore|thus|actually) )?"
)
_TAKEN_BACK = re.compile(
    r"(?i)\b(?:wait|actually|correction|scratch that|on second thought|i mean|hold on)\b|\bno,"
)
_SMALL_WORDS = r"an?|the|option|choice|answer|very|really|at|all"
_DENIED = re.compile(
    rf"(?i)(?:\b(?:not|never|neither|nor|no|rather than|instead of|than)|n['’]t)"
    rf"(?: (?:{_SMALL_WORDS}))*[ (\"']*\Z|\bnon[-‐–]\Z"
    rf"|(?:\b(?:not|never|cannot)|n['’]t)(?: (?:{_SMALL_WORDS}|that|so|too|quite|exactly|entirely"
    r"|particularly|necessarily|clearly|sure|certain|call|say|claim|think|believe|consider|describe"
    r"|choose|pick|select|tell|know|whether|if|it|this|its|it['’]s|be|as|to|is|are|was|were|would))*"
    r"[ (\"']*\Z"
)
# how far back it is looked for what denies
_BEFORE = 60
_IS_WRONG = re.compile(
    r"(?i)[\s)*'\"]{0,3}\s(?:(?:is|was|are|would be|seems|cannot be|can['’]t be)"
    r"(?: (?:also|clearly|definitely|simply|just|obviously|the))?"
    r" (?:not|wrong|incorrect|false|right out|ruled out|out|correct either)\b"
    r"|(?:is|was|are|would)n['’]t\b|can(?:not|['’]t) be\b)"
)
_OTHERWISE = re.compile(r"[\s).,'\"]{0,3}(?:(?:or|and|oder|und)[\s('\"]{1,3}|[/&|][\s('\"]{0,3})")
# these set an option beside another only where nothing more is said of it: "yes, no doubt"
_BESIDE = re.compile(r"[\s)'\"]{0,3},[\s('\"]{0,3}|[\s)]{1,3}(?=\()")
_ALONE = re.compile(r"[\s)'\"]{0,3}(?:\Z|[.,;:/&|!?(]|(?:or|and|oder|und)\b)")
# how many that stand beside one another are read
_MOST_BESIDE = 30
_AFTER_LETTER = re.compile(r"\s{0,3}(?:\Z|[.:,;)(\n–—-]|(?:because|since|as|or|and)\b)")
_LETTER = r"(?:(?:option|choice|answer) )?\(?(?P<letter>{letters})(?![\w'’])\)?"


def chosen(response: str, options: Options) -> str | None:
    """Return the letter of the option that a response chooses; None where that is not certain."""
    turn = own_turn(spoken(response))
    text = plain(turn).strip()
    for place, said in _places(turn, text):
        letters = _named(said, options, is_whole=place == "whole")
        if place == "answer":
            if _is_denied(text, text.rfind(said)):
                return None
            letters = _instead(text[text.rfind(said) :], options) or letters
        if letters:
            return letters.pop() if len(letters) == 1 else None
    mentioned = _mentioned(text, options)
    return mentioned.pop() if len(mentioned) == 1 else None


def _places(turn: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield where a choice may stand, what decides first, and the text there."""
    marked = enclosed(turn)
    if marked is not None:
        yield "enclosed", plain(marked.content).strip()
    boxes = _BOX.findall(text)
    if boxes:
        yield "boxed", plain(boxes[-1]).strip()
    markers = list(_MARKER.finditer(text))
    if markers:
        yield "answer", text[markers[-1].end() :].strip().partition("\n")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield "whole", text
    if len(lines) > 1:
        yield "whole", lines[-1]
        yield "whole", lines[0]
    elif lines and re.match(r"\(?\w[).:]", lines[0]):
        yield "start", lines[0]


def _named(said: str, options: Options, *, is_whole: bool) -> set[str]:
    """Return the options that a text is, or (unless it must be the whole) begins with."""
    equal = {letter for letter, text in options.items() if text and normalised(text) == _bare(said)}
    if equal:
        return equal
    begun = _begun(said, options)
    if begun is None:
        return set()
    letters, rest = begun
    if is_whole and not _is_rest_of(rest, letters, options):
        return set()
    return letters | _beside(rest, options)


def _beside(rest: str, options: Options) -> set[str]:
    """Return the options that stand beside one, before `rest`: "A or B", "A, B"; all where that one
    is denied: "A is wrong".
    """
    if _IS_WRONG.match(rest):
        return {*options}
    beside: set[str] = set()
    for _ in range(_MOST_BESIDE):
        either = _OTHERWISE.match(rest)
        other = either or _BESIDE.match(rest)
        begun = _begun(rest[other.end() :], options) if other else None
        if begun is None or not (either or _ALONE.match(begun[1])):
            break
        beside, rest = beside | begun[0], begun[1]
    return beside


def _begun(said: str, options: Options) -> tuple[set[str], str] | None:
    """Return which options a text begins with, and what comes after; None where it is none."""
    said = said.lstrip(" \"'“‘")
    folded = said.casefold()
    by_length = sorted(options, key=lambda letter: -len(options[letter]))
    for letter in by_length:
        text = plain(options[letter]).strip().casefold()
        if text and folded.startswith(text) and not folded[len(text) : len(text) + 1].isalnum():
            return {letter}, said[len(text) :]
    letters = "|".join(re.escape(letter) for letter in options)
    match = re.match(f"(?i:{_LETTER.format(letters=letters)})", said)
    if match is None:
        return None
    letter, rest = match["letter"], said[match.end() :]
    is_marked = match[0] != letter or _AFTER_LETTER.match(rest) is not None
    # "A dog": an article is no letter of an option
    if not is_marked and not (letter.isupper() and letter not in "AI"):
        return None
    return {next(known for known in options if known.casefold() == letter.casefold())}, rest


def _is_rest_of(rest: str, letters: set[str], options: Options) -> bool:
    """Say whether nothing but an option's own text comes after its letter."""
    texts = {normalised(plain(options[letter])) for letter in letters}
    return _bare(rest.lstrip(" ).:,-–")) in {"", *texts}


def _bare(said: str) -> str:
    return normalised(said).strip(" .!()")


def _instead(said: str, options: Options) -> set[str]:
    """Return the options that are named after a choice was taken back; empty where it was not."""
    cue = _TAKEN_BACK.search(said)
    return set() if cue is None else _mentioned(said[cue.end() :], options)


def _mentioned(text: str, options: Options) -> set[str]:
    """Return the options whose text, or letter in brackets, stands anywhere; all where one is
    denied, so that none is chosen.
    """
    named: set[str] = set()
    for letter, option in options.items():
        ways = [rf"\({re.escape(letter)}\)"]
        if option:
            ways.append(rf"(?<!\w){re.escape(plain(option).strip())}(?!\w)")
        for match in re.finditer(f"(?i:{'|'.join(ways)})", text):
            if _is_denied(text, match.start()) or _IS_WRONG.match(text, match.end()):
                return {*options} if len(options) > 1 else set()
            named.add(letter)
    return named


def _is_denied(text: str, start: int) -> bool:
    """Say whether what stands before a place in a text denies what begins there."""
    return _DENIED.search(text[max(0, start - _BEFORE) : start]) is not None
