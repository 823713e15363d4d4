"""What a server sends back to the `openai` judge: one message as far as it can be believed.

A server sends what it likes. Whatever is no completion is a `WrongReplyError`, which says what came
in its place; what is kept of one is short and can be stored.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from stagelift.evals.credentials import short_repr, words_without_credentials
from stagelift.evals.metrics.answers.thoughts import without_thoughts
from stagelift.evals.records import Record

# of what a model says aloud: a verdict is one word
_MOST_CHARACTERS = 2_000
_MOST_TOKENS = 2**53
# what cannot be seen, and half of a pair of surrogates, which cannot be stored
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# where servers put what a model thought, if they take it out of the message
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")


class WrongReplyError(ValueError):
    """What came is no completion; the message says what it is."""


class NoReplyError(WrongReplyError):
    """What came is an object without a message: some gateways report an error so."""


class Said(Record):
    """What a model said aloud, or the reason for which it refused.

    `is_cut` says that its tokens were at an end, `thought` that it thought before it spoke.
    """

    text: str
    refusal: str | None
    is_cut: bool
    thought: bool
    prompt_tokens: int
    completion_tokens: int


def read_reply(content: bytes, hide: Callable[[str], str] = words_without_credentials) -> Said:
    """Read a server's reply. Raises WrongReplyError.

    `hide` leaves credentials out of a text: that is done before the text is cut.
    """
    completion = _json(content, hide)
    choice = _first_choice(completion, hide)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _no_reply(completion, hide)
    written = message.get("content") or ""
    if not isinstance(written, str):
        raise WrongReplyError(f"its message is no text but {_short(written, hide)}")
    aloud = without_thoughts(written)
    ending = choice.get("finish_reason")
    usage = completion.get("usage")
    return Said(
        text=clean(hide(aloud or "")),
        refusal=_refusal(message, ending, hide),
        is_cut=ending == "length",
        thought=aloud != written or any(message.get(name) for name in _THOUGHTS),
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def clean(text: str) -> str:
    """Return text as it can be stored and shown: without what is unfit, and not too long."""
    shown = _UNFIT.sub("\ufffd", text)
    if len(shown) <= _MOST_CHARACTERS:
        return shown
    return f"{shown[:_MOST_CHARACTERS]}... ({len(shown):,} characters)"


def _json(content: bytes, hide: Callable[[str], str]) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text)
    except UnicodeDecodeError:
        raise WrongReplyError("it sent bytes that are no text in UTF-8") from None
    except RecursionError:
        raise WrongReplyError("it sent JSON that is nested too deep") from None
    except ValueError:
        raise WrongReplyError(f"it sent {hide(text)[:100]!r}") from None
    if not isinstance(value, dict):
        raise WrongReplyError(f"it sent no object but {_short(value, hide)}")
    return value


def _first_choice(completion: dict[str, Any], hide: Callable[[str], str]) -> dict[str, Any]:
    match completion.get("choices"):
        case [dict() as choice, *_]:
            return choice
        case _:
            raise _no_reply(completion, hide)


def _no_reply(completion: dict[str, Any], hide: Callable[[str], str]) -> NoReplyError:
    return NoReplyError(f"no reply in {_short(completion, hide)}")


def _refusal(message: dict[str, Any], ending: object, hide: Callable[[str], str]) -> str | None:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal.strip():
        return clean(hide(refusal))
    return "content filter" if ending == "content_filter" else None


def _count(usage: object, name: str) -> int:
    """Return how many tokens a server counted, 0 where it says nothing that could be true."""
    count = usage.get(name) if isinstance(usage, dict) else None
    if not isinstance(count, int) or isinstance(count, bool):
        return 0
    return count if 0 <= count < _MOST_TOKENS else 0


def _short(value: object, hide: Callable[[str], str]) -> str:
    return short_repr(value, 160, hide)
