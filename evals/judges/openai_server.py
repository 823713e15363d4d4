"""The server that the `openai` judge asks: requests, and what can go wrong.

It is any server that speaks OpenAI's chat completions. The key comes from the environment, and is
never shown or stored.
"""

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stagelift.evals import servers
from stagelift.evals.judges.openai_prompt import greeting
from stagelift.evals.judges.openai_reply import NoReplyError, Said, WrongReplyError, read_reply
from stagelift.evals.judges.openai_request import USUAL, Way, without_refused
from stagelift.evals.records import Written
from stagelift.evals.servers import REFUSALS, Server

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionMessageParam

KEY = "OPENAI_API_KEY"
# a person waits for the greeting
GREETING_RETRIES = 2
# of one answer: a model that thinks for all its tokens sends a tenth of it
MOST_BYTES = 2_000_000

_SECTION = "evals.preference.judge.openai"


class OpenAIJudge(Written):
    """Which model on which server, and how hard to ask.

    The key is taken from the environment, never from a recipe.
    """

    kind: Literal["openai"] = "openai"
    """Always `openai`. It is the key above these."""
    base_url: str
    """The server, up to and with `/v1`."""
    model: str
    """What the server calls the model."""
    concurrency: int = Field(default=8, ge=1)
    """How many pairs are asked at a time."""
    max_retries: int = Field(default=5, ge=0)
    """How often a request that failed is sent again."""
    timeout_seconds: float = Field(default=120, gt=0)
    """How long an answer is waited for."""
    usd_per_million_prompt_tokens: float | None = Field(default=None, ge=0)
    """The price, for the cost in the passport."""
    usd_per_million_completion_tokens: float | None = Field(default=None, ge=0)
    """The price, for the cost in the passport."""


def server(settings: OpenAIJudge) -> Server:
    """Say where the judge's server is, and how patiently it is asked."""
    return Server(
        url=settings.base_url,
        model=settings.model,
        max_retries=settings.max_retries,
        timeout_seconds=settings.timeout_seconds,
        title="The judge's server",
        section=_SECTION,
        url_field="base_url",
        key_name=KEY,
        speaks="chat completions",
        most_bytes=MOST_BYTES,
    )


def check(settings: OpenAIJudge) -> None:
    """Raise ValueError, in a sentence, where no request could be sent. Asks no server."""
    servers.check_address(server(settings))
    servers.check_key(server(settings))


def check_server(settings: OpenAIJudge) -> None:
    """Ask the server one small question, so that a wrong key, model or address shows in time.

    Raises ValueError as `check` does, or in the sentence with which deciding would stop. Nothing is
    cached.
    """
    check(settings)
    retries = min(settings.max_retries, GREETING_RETRIES)
    brisk = settings.model_copy(update={"max_retries": retries})
    try:
        with connect(brisk) as client:
            complete(client, brisk, greeting(), USUAL)
    except servers.troubles() as error:
        # a greeting has nothing in it that could be refused
        raise ValueError(failure(error, brisk)) from None


def address(settings: OpenAIJudge) -> str:
    """Return the address without user, password, query and fragment: it may be stored and shown."""
    return servers.address(server(settings))


def connect(settings: OpenAIJudge) -> "OpenAI":
    """Return a client for the server; it is asked nothing yet."""
    return servers.connect(server(settings))


def complete(
    client: "OpenAI", settings: OpenAIJudge, asked: "list[ChatCompletionMessageParam]", way: Way
) -> tuple[Said, Way]:
    """Send one request, again without what the server refuses of it; return the way that it took.

    Raises the client's own errors, and WrongReplyError where something else than a completion comes
    back.
    """
    from openai import (
        APIConnectionError,
        BadRequestError,
        HttpxBinaryResponseContent,
        UnprocessableEntityError,
    )

    try:
        # as bytes: the client would fill in whatever comes without checking it
        reply = client.post(
            "/chat/completions",
            cast_to=HttpxBinaryResponseContent,
            body={"model": settings.model, "messages": asked, **way.arguments()},
        )
    except (BadRequestError, UnprocessableEntityError) as error:
        other = without_refused(way, f"{error.param} {error} {error.body}")
        if other is None:
            raise
        try:
            return complete(client, settings, asked, other)
        except (BadRequestError, UnprocessableEntityError):
            # it was about something else
            raise error from None
    except (APIConnectionError, ValueError) as error:
        # it came, and could not be read; some versions of the client wrap that
        unreadable = error.__cause__ if isinstance(error, APIConnectionError) else error
        if isinstance(unreadable, ValueError):
            raise WrongReplyError(without_key(str(unreadable), settings)) from None
        raise
    return read_reply(reply.content, partial(without_key, settings=settings)), way


def safe_words(error: Exception, settings: OpenAIJudge) -> str:
    """Return the server's own words, without the key: they go into logs and records."""
    return servers.safe_words(error, server(settings))


def without_key(words: str, settings: OpenAIJudge) -> str:
    """Return what the server says without the key that it was sent."""
    return servers.without_key(words, server(settings))


def refused_all(words: str, settings: OpenAIJudge) -> str:
    """Say that the server refuses whatever it is asked, and what to do about it."""
    return (
        f"The judge's server at {address(settings)} refused every request, so it is not about the "
        f"content: {words}. Correct model ('{settings.model}') or base_url in {_SECTION}."
    )


def failure(error: Exception, settings: OpenAIJudge) -> str:
    """Say in a sentence what went wrong with the server and what to do about it."""
    from openai import APIStatusError

    is_refusal = isinstance(error, APIStatusError) and error.status_code in REFUSALS
    if is_refusal or isinstance(error, NoReplyError):
        return refused_all(safe_words(error, settings), settings)
    return servers.failure(error, server(settings))
