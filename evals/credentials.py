"""What is a credential, and text without any: they are neither stored nor printed.

By its name: `hub_token`, `api_key`, `password`, but not `pad_token`. By its form: Hugging Face's
`hf_...`, OpenAI's `sk-...`, GitHub's `ghp_...` and their like, a password in a URL. By its value:
whatever a variable of the environment with such a name holds. A value of fewer than eight
characters, or one that is a word, cannot be told from other text and is left alone.
"""

import html
import json
import os
import re
import reprlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

MARK = "[credential]"

# a field or variable whose name ends so holds one
_SECRETS = {
    *("secret", "secrets", "password", "passwords", "passwd", "passphrase", "bearer", "auth"),
    *("credential", "credentials", "authorization", "apikey", "accesskey", "secretkey"),
    *("privatekey", "authtoken", "accesstoken", "hftoken", "hubtoken", "apitoken", "ghtoken"),
    *("githubtoken", "bottoken", "pass", "passcode", "pw", "pat", "cookie", "cookies"),
}
# what a key is called by which rows are taken, and none that opens something
_OF_DATA = {
    *("answer", "chosen", "column", "context", "dataset", "dict", "field", "group", "id", "image"),
    *("input", "join", "label", "messages", "metric", "order", "output", "partition", "primary"),
    *("prompt", "query", "question", "rejected", "response", "row", "sort", "target", "text"),
}
# what tokens are called that open something: others are counted
_OPENING = {"access", "api", "auth", "bearer", "hf", "hub", "refresh", "secret"}
# tokens that are text, such as `eos_token`
_TEXTUAL = {
    *("additional", "assistant", "audio", "begin", "bof", "boi", "bos", "cls", "decoder", "end"),
    *("eof", "eoi", "eom", "eos", "eot", "image", "mask", "next", "pad", "padding", "prefix"),
    *("return", "sep", "separator", "special", "start", "stop", "suffix", "think", "unk", "user"),
    *("video", "vision", "word"),
}
# what follows `key` or `token` in the name of one
_AFTER = {"id", "value", "text", "string"}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_WORD_OR_NUMBER = re.compile(r"[A-Za-z_]+|[0-9]+")
# how base64 is written in URLs
_IN_URLS = str.maketrans("+/", "-_")

_SHORTEST, _LONGEST_WORD, _FEWEST_DIGITS = 8, 11, 12
# a key that is one word
_SHORTEST_KEY = 16

# a private key: lines of base64, maybe cut off, or whatever little stands before its end; the prose
# after a header is none. Line ends may be escaped
_LINE_END = r"(?:\\{1,4}[nr]|\s)"
_KEY_END = r"-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----"
_KEY_LINES = rf"(?:{_LINE_END}*+[A-Za-z0-9+/=]{{16,}}+)"
_KEY_REST = rf"(?:{_LINE_END}*+[A-Za-z0-9+/=]{{1,15}}+(?={_LINE_END}*+(?:-----END|\Z)))?+"
_KEY_HEADERS = "Proc-Type|DEK-Info|Version|Comment"
_KEY = (
    rf"(?:{_LINE_END}*+(?:{_KEY_HEADERS}): ?[A-Za-z0-9,. -]+)*+"
    rf"(?:{_KEY_LINES}++{_KEY_REST}(?:{_LINE_END}*+{_KEY_END})?"
    rf"|(?:\\{{1,4}}[nr]|[\n\r]){_KEY_REST}{_LINE_END}*+{_KEY_END})"
)


# the end of a line as JSON writes it, of which the letter belongs to no word
_AFTER_LINE_END = r"(?<=\\[nrt])"


class _Form(NamedTuple):
    """A token as its issuer writes it: text that stands in each of them, and all of it."""

    holds: str
    pattern: re.Pattern[str]


def _form(holds: str, rest: str, start: str | None = None) -> _Form:
    before = rf"(?:(?<![A-Za-z0-9])|{_AFTER_LINE_END})"
    return _Form(holds, re.compile(before + (start or re.escape(holds)) + rest))


# letters and digits mixed, or too long in one piece: a word is none
_MIXED = r"(?=[A-Za-z_-]{0,60}[0-9]|[a-z]{1,60}[A-Z]|[A-Z]{1,60}[a-z]|[A-Za-z]{20})"
_FORMS = (
    _form("hf_", _MIXED + r"[A-Za-z0-9]{16,}"),
    _form("api_org_", r"[A-Za-z0-9]{16,}"),
    _form("sk-", r"(?=[A-Za-z_-]{0,60}[0-9]|[A-Za-z_-]{0,60}[A-Za-z]{20})[A-Za-z0-9_-]{16,}"),
    _form("k_live_", r"[A-Za-z0-9]{16,}", "[sr]k_live_"),
    _form("k_test_", r"[A-Za-z0-9]{16,}", "[sr]k_test_"),
    *(_form(f"gh{kind}_", r"[A-Za-z0-9]{20,}") for kind in "pousr"),
    _form("github_pat_", r"[A-Za-z0-9_]{20,}"),
    _form("glpat-", r"[A-Za-z0-9_-]{16,}"),
    _form("AKIA", r"[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _form("ASIA", r"[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _form("xox", r"[abeoprs]-[A-Za-z0-9-]{10,}"),
    _form("xapp-", r"[A-Za-z0-9-]{16,}"),
    _form("AIza", r"[A-Za-z0-9_-]{30,}"),
    _form("eyJ", r"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    _form("npm_", r"[A-Za-z0-9]{30,}"),
    _form("pypi-", r"[A-Za-z0-9_-]{32,}"),
    _form("wandb_v1_", r"[A-Za-z0-9_]{16,}"),
    _form("gsk_", _MIXED + r"[A-Za-z0-9]{20,}"),
    _form("xai-", r"[A-Za-z0-9]{32,}"),
    _form("nvapi-", r"[A-Za-z0-9_-]{20,}"),
    _form("r8_", r"[A-Za-z0-9]{30,}"),
    _form("dckr_pat_", r"[A-Za-z0-9_-]{16,}"),
    _form("hvs.", r"[A-Za-z0-9_-]{20,}"),
    _form("ya29.", r"[A-Za-z0-9_-]{20,}"),
    _form("GOCSPX-", r"[A-Za-z0-9_-]{20,}"),
    _form("SG.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _form("AGE-SECRET-KEY-1", r"[A-Z0-9]{40,}"),
    _form("hooks.slack.com/services/", r"[A-Za-z0-9/]{20,}"),
    _form("/api/webhooks/", r"[0-9]{6,}/[A-Za-z0-9_-]{20,}", r"discord(?:app)?\.com/api/webhooks/"),
    _form(
        "PRIVATE KEY",
        _KEY,
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----",
    ),
)

# of a token in words that were cut, and say so: its beginning, letters and digits changing
_CHANGE = r"[a-z][A-Z]|[A-Za-z][0-9]|[0-9][A-Za-z]"
_CUT = r"(?:\.{3}|\u2026)"
_BEGUN = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_|sk-|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|npm_|pypi-|gsk_|xai-)"
    rf"(?=[A-Za-z0-9_-]{{0,40}}?(?:{_CHANGE}))[A-Za-z0-9_-]{{6,100}}+(?={_CUT})"
)

# a URL after its scheme, also as JSON may write it, and one that is percent-encoded
_URL = re.compile(r"(?<![\w/\\])(?:[A-Za-z][A-Za-z0-9+.-]{0,30}:)?(?:\\?/){2}[^\s\"'<>`]+")
_ENCODED_URL = re.compile(r"%3[Aa]%2[Ff]%2[Ff][^\s\"'<>`]+")
# a password may hold what ends the name of a host; what follows a host's port does not belong to it
_USER = re.compile(
    r"//((?:[^\s/?#:\[\]\\]*:(?![0-9]{0,5}(?:[/?#\\]|$))[^\s@]+(?:@[^\s@/?#:]+(?=@))*)"
    r"|[^\s/?#@:]{16,}:?)@"
)
# of one that was cut, and says so: what stands where a port does, and is none
_USER_CUT = re.compile(
    rf"//[^\s/?#@:\[\]\\]+:(?=[^\s/?#@]*[a-z0-9])(?!port\b|[0-9]{{1,5}}\b)[^\s/?#@,;)]+{_CUT}$"
)
_IN_QUERY = re.compile(r"(?<=[?&;#])([\w.%\[\]-]{1,60}?)(=|%3[Dd])([^&;#\s]+)")
_SIGNED = {"sig", "signature", "jsessionid"}
_BEARER = re.compile(r"([Bb]earer\s+|BEARER\s+)(?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/=-]{16,}")
_HEADER = re.compile(
    r"((?:[Aa]uthorization|[Aa]pi-[Kk]ey)[\"']{0,2}\s{0,3}[:=]\s{0,3}[\"']?(?:[A-Za-z]{1,10}\s+)?)"
    r"(?!\[credential\])[^\s\"',;}\])\\]{8,}"
)
# what is said to be one: `HF_TOKEN=...`, `"password": "..."`, `X-Auth-Token: ...`, `--token ...`
_SAID = r"(?=[^\s\"',;&]{0,200}[0-9])[^\s\"',;&<>(){}\[\]\\]{8,}"
_NAMED = re.compile(
    rf"(?<![\w.-])([\w.-]{{1,60}}+)([\"']{{0,2}}\s{{0,3}}[:=]\s{{0,3}}[\"']?)({_SAID})"
)
_OPTION = re.compile(rf"(?<![\w-])--([A-Za-z][\w.-]{{0,60}}+)([=\s]\s{{0,3}}[\"']?)({_SAID})")
_NAMED_WORDS = re.compile(r"(?i)token|secret|passw|passphrase|credential|key|cookie|_pat\b")
# a variable that someone sets in what they wrote down
_ENVIRONMENT = re.compile(
    rf"(?<![\w.-])[A-Z][A-Z0-9_]{{0,60}}_(?:TOKEN|SECRET|PASSWORD|KEY)={_SAID}"
)
# names of one word that also say what opens nothing
_VAGUE = {"key", "token", "auth", "pass", "pat", "pw", "cookie", "cookies", "keys", "tokens"}


def is_credential_name(name: str) -> bool:
    """Say whether a field, an option or a variable of this name holds a credential."""
    # such as that of the metric pass@1
    if "@" in name:
        return False
    words = [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]
    if len(words) > 1 and words[-1] in _AFTER:
        words.pop()
    *before, last = words or [""]
    match last:
        case "key":
            return not before or before[-1] not in _OF_DATA
        case "keys":
            return before[-1:] in (["api"], ["access"], ["secret"], ["private"])
        case "token":
            return not before or before[-1] not in _TEXTUAL
        case "tokens":
            return bool(before) and before[-1] in _OPENING
        # alone it is the working folder
        case "pwd":
            return bool(before)
        case _:
            return last in _SECRETS


def without_credentials(text: str) -> str:
    """Return text in which values of the environment's credentials, and tokens of a form that
    nothing else has, are replaced. This is what records hold.
    """
    values = _values()
    if any(writing in text for writing in values.writings):
        text = values.pattern.sub(MARK, text)
    for form in _FORMS:
        if form.holds in text:
            text = form.pattern.sub(MARK, text)
    return text


def words_without_credentials(text: str) -> str:
    """Return words of an error, a server or a log without these, and without what stands where a
    credential does: in a URL or in a header. This is what is printed.
    """
    text = _without_beginnings(without_credentials(text), _values().heads)
    text = _BEGUN.sub(MARK, text)
    text = _without_told(text)
    if _NAMED_WORDS.search(text):
        text = _NAMED.sub(_safe_named, _OPTION.sub(_safe_option, text))
    return text


def _without_told(text: str) -> str:
    """Leave out what can be told by its form or its value, and what stands in a URL or a header."""
    text = without_credentials(text)
    if "//" in text or "\\/" in text:
        text = _URL.sub(lambda url: _safe_url(url[0]), text)
    if "%2" in text:
        text = _ENCODED_URL.sub(lambda url: _safe_encoded(url[0]), text)
    if "earer" in text or "BEARER" in text:
        text = _BEARER.sub(rf"\1{MARK}", text)
    if "uthorization" in text or "pi-" in text:
        text = _HEADER.sub(rf"\1{MARK}", text)
    return text


def short_repr(
    value: object, most: int = 30, hide: Callable[[str], str] = words_without_credentials
) -> str:
    """Write a value shortly, however large and deep it is. Credentials are left out before its
    texts are cut to `most` characters: no part of one is left.
    """
    return _ShortRepr(most, hide).repr(value)


class _ShortRepr(reprlib.Repr):
    def __init__(self, most: int, hide: Callable[[str], str]) -> None:
        super().__init__()
        self.maxstring, self.hide = most, hide

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(self.hide(x), level)


def credentials_in(text: str) -> bool:
    """Say whether a text that someone wrote down holds a credential."""
    return _without_told(text) != text or _ENVIRONMENT.search(text) is not None


def _safe_url(url: str) -> str:
    plain = url.replace("\\/", "/")
    safe = _USER_CUT.sub(f"//{MARK}", _USER.sub(f"//{MARK}@", plain))
    safe = _IN_QUERY.sub(lambda part: _safe_part(part[1], part[2], part[0]), safe)
    return url if safe == plain else safe


def _safe_encoded(url: str) -> str:
    plain = unquote(url)
    return url if _safe_url(plain.removeprefix(":")) == plain.removeprefix(":") else MARK


def _safe_part(name: str, equals: str, part: str) -> str:
    plain = unquote(name).removesuffix("[]")
    secret = is_credential_name(plain) or plain.lower().rpartition("-")[2] in _SIGNED
    return f"{name}{equals}{MARK}" if secret else part


def _safe_named(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    is_said = _opens(name) and MARK not in value
    return f"{name}{between}{MARK}" if is_said else found[0]


def _opens(name: str) -> bool:
    """Say whether a name in words is of what opens something: there are keys of tables, too."""
    if name.lower() in _VAGUE or not is_credential_name(name):
        return False
    *before, last = [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]
    return last not in ("key", "pass") or before[-1:] in (["api"], ["access"], ["secret"], ["db"])


def _safe_option(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    is_said = is_credential_name(name) and MARK not in value
    return f"--{name}{between}{MARK}" if is_said else found[0]


class _Values(NamedTuple):
    """Values of credentials in all their writings, and what finds them."""

    writings: tuple[str, ...]
    pattern: re.Pattern[str]
    # the shortest beginnings that can be told from other text, each with what goes on from it
    heads: dict[str, list[str]]


def _values() -> _Values:
    """Return the values of the environment's credentials, as it is now."""
    return _finder(tuple(_held(os.environ)))


def _held(environment: Any) -> Iterator[str]:
    for name, value in environment.items():
        if _is_secret_variable(name):
            if not (name.upper().endswith("KEY") and _is_plain(value.strip())):
                yield value.strip()
        elif "://" in value and "@" in value:
            yield from (user[1] for user in _USER.finditer(value))


def _is_plain(value: str) -> bool:
    """Say whether what is called a key is rather a name: of a column, a metric or of our data."""
    is_word = re.fullmatch(r"[A-Za-z_./-]+", value) is not None
    return is_word and (len(value) < _SHORTEST_KEY or value.startswith("bundled/"))


@cache
def _is_secret_variable(name: str) -> bool:
    if name == "TOKENS":
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    return is_credential_name(name) or bool({"secret", "password", "passwd"} & {*words})


@lru_cache(maxsize=8)
def _finder(values: tuple[str, ...]) -> _Values:
    """Take values as JSON, a URL or HTML may write them too, the longest first."""
    told = [value for value in values if _can_be_told(value)]
    writings = {form: len(value) for value in told for form in _writings(value)}
    ordered = tuple(sorted(writings, key=len, reverse=True))
    heads: dict[str, list[str]] = {}
    for writing in ordered:
        head = _head(writing, writings[writing])
        if head is not None:
            heads.setdefault(head, []).append(writing)
    return _Values(ordered, re.compile("|".join(map(_whole, ordered))), heads)


def _head(writing: str, length: int) -> str | None:
    """Return the shortest beginning of a writing, of a value of `length` characters, that can be
    told from other text; None where only the whole can.
    """
    if _WORD_OR_NUMBER.fullmatch(writing):
        return None
    # as many as write the shortest value
    least = max(_SHORTEST, -(-_SHORTEST * len(writing) // length))
    heads = (writing[:end] for end in range(least, min(len(writing), least + 2 * _SHORTEST)))
    return next((head for head in heads if _is_mixed(head) and _can_be_told(head)), None)


def _is_mixed(text: str) -> bool:
    """Say whether letters and digits change as in no words: a passphrase is made of words."""
    return len(re.findall(f"(?={_CHANGE})", text)) > 1


def _without_beginnings(text: str, heads: dict[str, list[str]]) -> str:
    """Replace beginnings of values, of which a text that was cut has no more: where what goes on
    is another word, it is none.
    """
    if not any(head in text for head in heads):
        return text
    pieces, done = [], 0
    for found in re.finditer("|".join(map(re.escape, heads)), text):
        start = found.start()
        ends = [start + _in_common(text, start, writing) for writing in heads[found[0]]]
        if start >= done and not text[max(ends) : max(ends) + 1].isalnum():
            pieces += [text[done:start], MARK]
            done = max(ends)
    return "".join([*pieces, text[done:]])


def _in_common(text: str, start: int, writing: str) -> int:
    """Count the characters that a text has, from a place on, in common with a writing."""
    there = text[start : start + len(writing)]
    pairs = enumerate(zip(there, writing, strict=False))
    return next((at for at, (one, other) in pairs if one != other), len(there))


def _can_be_told(value: str) -> bool:
    # the name of a file is none; a value may be longer than any name
    if len(value) < _SHORTEST or os.path.exists(value):  # noqa: PTH110 - Path.exists raises at those
        return False
    if value.isdecimal():
        return len(value) >= _FEWEST_DIGITS
    is_word = re.fullmatch(r"[A-Za-z_]+", value) is not None
    return not is_word or len(value) > _LONGEST_WORD


def _writings(value: str) -> set[str]:
    plain = {value}
    _, colon, password = value.partition(":")
    if colon and not password.startswith("//") and _can_be_told(password):
        plain.add(password)
    return {writing for text in plain for writing in (*_escaped(text), *_encoded(text))}


def _escaped(text: str) -> Iterator[str]:
    """Yield a text as Python, JSON, a URL and HTML write it."""
    # the environment may hold bytes that are no UTF-8
    sent = os.fsencode(text)
    yield from (text, sent.decode(errors="replace"))
    yield from (repr(text)[1:-1], ascii(text)[1:-1], repr(sent)[2:-1])
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield html.escape(text)
    for in_url in (quote(sent, safe=""), quote_plus(sent), f"%{sent.hex('%')}"):
        yield from (in_url, re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), in_url))
    yield f"%{sent.hex('%').upper()}"


def _encoded(text: str) -> Iterator[str]:
    """Yield a text in hexadecimal digits and in base64, wherever it begins in what is encoded."""
    sent = os.fsencode(text)
    yield from (sent.hex(), sent.hex().upper(), b64encode(sent).decode())
    for before in range(3):
        written = b64encode(b" " * before + sent).decode()
        # the first and the last letter may be partly of what stands beside it
        part = written[-(-before * 8 // 6) : (before + len(sent)) * 8 // 6]
        yield from (part, part.translate(_IN_URLS))


def _whole(value: str) -> str:
    """Return a pattern of a value: of a word or a number only where it stands alone, and is no key
    of JSON.
    """
    if _WORD_OR_NUMBER.fullmatch(value):
        return rf"(?:(?<![\w.])|{_AFTER_LINE_END}){value}(?![\w.]|\"\s*:)"
    return re.escape(value)
