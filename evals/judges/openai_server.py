"""The server that the `openai` judge asks: its address and key, requests, and what can go wrong.

It is any server that speaks OpenAI's chat completions. The key comes from the environment, and is
never shown or stored.
"""

import importlib.util
import ipaddress
import os
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from stagelift.evals.judges.openai_prompt import MAX_TOKENS, TEMPERATURE, greeting
from stagelift.evals.records import Record

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import (
        ChatCompletion,
        ChatCompletionMessage,
        ChatCompletionMessageParam,
    )

KEY = "OPENAI_API_KEY"
# a person waits for the greeting
GREETING_RETRIES = 2
# what was asked may be refused, or every request: whoever asks more than once can tell them apart
REFUSALS = (400, 413, 422)

# the client insists on a key, a server of one's own does not look at it
_NO_KEY = "not-needed"
_SECTION = "evals.preference.judge.openai"


class OpenAIJudge(Record):
    """Which model on which server, and how hard to ask.

    The key is taken from the environment, never from a recipe.
    """

    kind: Literal["openai"] = "openai"
    base_url: str
    model: str
    concurrency: int = Field(default=8, ge=1)
    max_retries: int = Field(default=5, ge=0)
    timeout_seconds: float = Field(default=120, gt=0)
    usd_per_million_prompt_tokens: float | None = Field(default=None, ge=0)
    usd_per_million_completion_tokens: float | None = Field(default=None, ge=0)


def check(settings: OpenAIJudge) -> None:
    """Raise ValueError, in a sentence, where no request could be sent. Asks no server."""
    # An '@' is refused wherever it stands: a password may hold a slash. The password is not shown,
    # and none is stored.
    if "@" in settings.base_url:
        raise ValueError(
            f"{_SECTION}.base_url has an '@', as before it a user and a password are given, and "
            f"recipes are stored as they are: leave them out, a key belongs into {KEY} in the "
            "environment."
        )
    url = _split(settings)
    if url.query or url.fragment:
        raise ValueError(
            f"{_SECTION}.base_url '{address(settings)}?...' has a query or a fragment, to which "
            "no path can be added: leave it out."
        )
    if not _key(settings):
        raise ValueError(
            f"{_SECTION} asks {address(settings)}, but {KEY} is not set in the environment: "
            "export it (any text where the server wants no key)."
        )
    if importlib.util.find_spec("openai") is None:
        raise ValueError(
            f"{_SECTION} needs the package openai, which is not installed: pip install openai"
        )


def check_server(settings: OpenAIJudge) -> None:
    """Ask the server one small question, so that a wrong key, model or address shows in time.

    Raises ValueError as `check` does, or in the sentence with which deciding would stop. Nothing is
    cached.
    """
    check(settings)
    from openai import APIStatusError, OpenAIError

    retries = min(settings.max_retries, GREETING_RETRIES)
    brisk = settings.model_copy(update={"max_retries": retries})
    try:
        with connect(brisk) as client:
            completion = complete(client, brisk, greeting())
    except (OpenAIError, ValueError) as error:
        # a greeting has nothing in it that could be refused
        if isinstance(error, APIStatusError) and error.status_code in REFUSALS:
            raise ValueError(refused_all(safe_words(error, brisk), brisk)) from None
        raise ValueError(failure(error, brisk)) from None
    if message_of(completion) is None:
        raise ValueError(refused_all(safe_words(no_reply(completion), brisk), brisk))


def address(settings: OpenAIJudge) -> str:
    """Return the address without user, password, query and fragment: it may be stored and shown."""
    url = _split(settings)
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}{url.path.rstrip('/')}"


def connect(settings: OpenAIJudge) -> "OpenAI":
    """Return a client for the server; it is asked nothing yet."""
    from openai import DefaultHttpxClient, OpenAI, Timeout

    seconds = settings.timeout_seconds
    return OpenAI(
        base_url=settings.base_url,
        api_key=_key(settings),
        max_retries=settings.max_retries,
        timeout=Timeout(seconds, connect=min(10.0, seconds)),
        # no proxy to one's own machine
        http_client=DefaultHttpxClient(trust_env=not _is_loopback(settings)),
    )


def complete(
    client: "OpenAI", settings: OpenAIJudge, asked: "list[ChatCompletionMessageParam]"
) -> "ChatCompletion":
    """Send one request.

    Raises the client's own errors, and ValueError where something else than a completion comes
    back.
    """
    from openai.types.chat import ChatCompletion

    completion: object = client.chat.completions.create(
        model=settings.model, messages=asked, temperature=TEMPERATURE, max_tokens=MAX_TOKENS
    )
    # the client hands on a web page as it is
    if not isinstance(completion, ChatCompletion):
        raise ValueError(f"it sent {str(completion)[:100]!r}")
    return completion


def message_of(completion: "ChatCompletion") -> "ChatCompletionMessage | None":
    """Return the completion's message, if it has one.

    The client fills in what it is sent without checking it.
    """
    choice = next(iter(completion.choices or []), None)
    return getattr(choice, "message", None)


def no_reply(completion: "ChatCompletion") -> ValueError:
    """Return what is wrong: some gateways report an error as a completion without a message."""
    return ValueError(f"no reply in {completion.to_dict()}")


def safe_words(error: Exception, settings: OpenAIJudge) -> str:
    """Return the server's own words, without the key: they go into logs and records."""
    words = f"{error} ({error.__cause__})" if error.__cause__ else str(error)
    words = " ".join(words.replace(_key(settings) or _NO_KEY, "<key>").split())
    if len(words) > 300:
        words = f"{words[:300]}..."
    return words.rstrip(".")


def refused_all(words: str, settings: OpenAIJudge) -> str:
    """Say that the server refuses whatever it is asked, and what to do about it."""
    return (
        f"The judge's server at {address(settings)} refused every request, so it is not about the "
        f"content: {words}. Correct model ('{settings.model}') or base_url in {_SECTION}."
    )


def failure(error: Exception, settings: OpenAIJudge) -> str:
    """Say in a sentence what went wrong with the server and what to do about it."""
    trouble = _trouble(error, safe_words(error, settings), settings)
    return f"The judge's server at {address(settings)} {trouble}"


def _trouble(error: Exception, words: str, settings: OpenAIJudge) -> str:
    """Name the trouble, in the server's words, and its remedy."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    retried = f"(after {settings.max_retries} retries)"
    match error:
        case APITimeoutError():
            return (
                f"gave no answer within {settings.timeout_seconds:g} seconds {retried}: raise "
                f"timeout_seconds or lower concurrency in {_SECTION}."
            )
        case APIConnectionError():
            return (
                f"cannot be reached {retried}: {words}. Start it, or correct {_SECTION}.base_url."
            )
        case APIStatusError(status_code=401 | 403):
            return f"does not accept the key: {words}. Correct {KEY} in the environment."
        case APIStatusError(status_code=404):
            return (
                f"knows no such model or path: {words}. Correct model or base_url (... /v1) in "
                f"{_SECTION}."
            )
        case APIStatusError(status_code=429):
            return (
                f"takes no more requests {retried}: {words}. Lower concurrency in {_SECTION}, or "
                "wait."
            )
        case APIStatusError(status_code=status) if status >= 500:
            return (
                f"failed {retried}: {words}. Look into its log: it may not have '{settings.model}'."
            )
        case _:
            return (
                f"does not speak chat completions: {words}. Correct {_SECTION}.base_url (it often "
                "ends in /v1)."
            )


def _split(settings: OpenAIJudge) -> SplitResult:
    try:
        url = urlsplit(settings.base_url)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return url
    except ValueError:
        # a port that is no number, a bracket that does not close
        pass
    shown = settings.base_url.rpartition("@")[2].partition("?")[0]
    raise ValueError(
        f"{_SECTION}.base_url '{shown}' is not an address: write it like http://127.0.0.1:8000/v1."
    )


def _key(settings: OpenAIJudge) -> str | None:
    key = os.environ.get(KEY, "").strip()
    if not key and _is_loopback(settings):
        return _NO_KEY
    return key or None


def _is_loopback(settings: OpenAIJudge) -> bool:
    host = _split(settings).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
