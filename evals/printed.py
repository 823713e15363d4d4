"""Text of models, files and names as it may be printed: nothing in it acts on who shows it.

What cannot be seen, and what moves or hides what can, is written out as its code point in angle
brackets, `<U+202E>`, in every format alike. Nothing is dropped. This module loads nothing: every
command prints.
"""

import codecs
import re
from functools import lru_cache

# controls, formats, surrogates, private use and what Unicode wants ignored or never exchanged
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
    + "".join(
        f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(1 << 16, 15 << 16, 1 << 16)
    )
)
# a flag of a part of a country, such as England's, is spelled in tags: these three are in use
_FLAGS = (
    "\U0001f3f4(?:"
    + "|".join(
        "".join(chr(0xE0000 | ord(letter)) for letter in part)
        for part in ("gbeng", "gbsct", "gbwls")
    )
    + ")\U000e007f"
)
_TO_SHOW = re.compile(f"\r\n|{_FLAGS}|[{_HIDDEN}]")
# they choose a glyph of the sign or ideograph before; more of them would carry a hidden text
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SELECTED = re.compile(
    "[#*0-9\xa9\xae\u1000-\u109f\u2030-\u205f\u20d0-\ua8ff\uf900-\ufaff\U0001f000-\U0003ffff]"
)
_JOINERS = "\u200c\u200d"
# Arabic to Sinhala, Tibetan, Burmese, Khmer, Mongolian, Balinese, Javanese and others of India and
# Indonesia: letters that join, or do not, by them, also at a word's end
_JOINING = re.compile(
    "[\u0600-\u085f\u0870-\u0dff\u0f00-\u109f\u1780-\u18af\u1a00-\u1aaf\u1b00-\u1c4f\ua800-\ua9ff"
    "\uaa60-\uaa7f\uabc0-\uabff\ufb50-\ufefc\U00011000-\U000119ff]"
)
# Thai, Lao, Burmese and Khmer have no spaces: it says where a line may be broken
_WORD_BREAK = "\u200b"
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\uaa60-\uaa7f]")
_EMOJI = re.compile("[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
# what runners of CI take for a command: not the `####` of an answer
_MARKED_COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_COLONS = re.compile(r":(?=:)")
# what marks of ours become where an encoding lacks them; as wide as they are, so that columns stay
_PLAIN_MARKS = dict(zip("├─●┤┊…†×✓✗·→–≥", "|-o|:~*xvx.>->", strict=True))
# how a stream writes what its encoding lacks: `errors=PLAIN`
PLAIN = "stagelift-plain"


def safe_text(text: str) -> str:
    """Write out whatever in a text cannot be seen or could act on a terminal or reorder text.

    Newlines and tabs stay, and `\\r\\n` is a newline. Joiners and glyph selectors stay where
    scripts and emoji need them.
    """
    if text.isascii() and text.isprintable():
        return text
    return _TO_SHOW.sub(_shown, text)


def shown_name(text: str) -> str:
    """Return a name on one line as pages and plots show it."""
    return without_commands(flat(text)) or "(no name)"


def flat(text: str) -> str:
    """Return safe text on one line, with a space for all white space."""
    return " ".join(safe_text(text).split())


def one_line(text: str) -> str:
    """Return safe text as one line that no log acts on: GitHub's runner takes `::error::` at a
    line's start and `##[error]` anywhere for commands, Azure's `##vso[...]`.
    """
    return _MARKED_COMMAND.sub("# #", _COLONS.sub(": ", flat(text)))


def without_commands(text: str) -> str:
    """Return a text of several lines of which no log takes one for a command."""
    return _MARKED_COMMAND.sub("# #", _COMMAND.sub(r"\1: ", text))


def excerpt(text: str, limit: int = 600) -> str:
    """Return safe text, cut in the middle of nothing: the first `limit` characters and how many are
    left out.
    """
    clean = safe_text(text).strip() or "(empty)"
    if len(clean) <= limit:
        return clean
    return f"{clean[:limit]}... ({len(clean) - limit} more characters)"


def without_its_middle(text: str, limit: int) -> str:
    """Return safe text, shorter than `limit`: where a refusal quotes too much, what helps stands at
    its end.
    """
    clean = safe_text(text)
    if len(clean) < limit:
        return clean
    first, last = limit // 2, limit // 2 - 50
    left_out = len(clean) - first - last
    return f"{clean[:first]}... ({left_out:,} characters left out) ...{clean[-last:]}"


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write marks of ours plainly, and anything else by its escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    shown = (_PLAIN_MARKS.get(each, each.encode("ascii", "backslashreplace")) for each in lacking)
    return "".join(s if isinstance(s, str) else s.decode() for s in shown), error.end


codecs.register_error(PLAIN, _plain)


def json_escaped(document: str) -> str:
    """Escape in a JSON document what `safe_text` would write out and what a log would act on: the
    document stays what it says.
    """
    plain = _TO_SHOW.sub(_escaped, document)
    return _MARKED_COMMAND.sub(r"\\u0023#", plain)


def _shown(found: re.Match[str]) -> str:
    if found[0] == "\r\n":
        return "\n"
    return found[0] if _is_needed(found) else f"<U+{ord(found[0]):04X}>"


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "\r\n" or _is_needed(found):
        return found[0]
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _is_needed(found: re.Match[str]) -> bool:
    """Say whether what cannot be seen makes what stands beside it what it is."""
    before = found.string[found.start() - 1] if found.start() else ""
    return _belongs(before, found[0], found.string[found.end() : found.end() + 1])


@lru_cache(maxsize=1 << 12)
def _belongs(before: str, hidden: str, after: str) -> bool:
    if len(hidden) > 1:
        # a flag
        return True
    if hidden in _JOINERS and _JOINING.match(before):
        return True
    if hidden in _JOINERS or hidden == _WORD_BREAK:
        kind = _WITHOUT_SPACES if hidden == _WORD_BREAK else _EMOJI
        return kind.match(before) is not None and kind.match(after) is not None
    return _SELECTORS.match(hidden) is not None and _SELECTED.match(before) is not None
