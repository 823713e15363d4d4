"""A server that speaks OpenAI's API: its address and key, a client for it, and what can go wrong.

The key comes from the environment, and is never shown or stored; nothing else leaves it. A server
sends what it likes, as slowly as it likes: no answer is read further than so many bytes, none is
waited for longer than `timeout_seconds` in all, no pause is longer than a minute, and no request
goes to another address because an answer says so.
"""

import importlib.util
import ipaddress
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from stagelift.evals.credentials import MARK, short_repr, words_without_credentials

if TYPE_CHECKING:
    from openai import DefaultHttpxClient, OpenAI

Answered = TypeVar("Answered")

# what was asked may be refused, or every request: whoever asks more than once can tell them apart
REFUSALS = (400, 413, 422)
# of one answer: a thousand times what a long one with log-probabilities takes
MAX_BYTES = 64_000_000
# seconds that a server may ask for between two tries
LONGEST_PAUSE = 60.0

# the client insists on a key, a server of one's own does not look at it
_NO_KEY = "not-needed"
# a shorter one, such as "A", is what a verdict may be
_SHORTEST_KEY = 8
# they are of the bytes that came, not of the content, or say how often it is to be asked again
_NOT_KEPT = (
    *("content-encoding", "content-length", "transfer-encoding"),
    *("retry-after", "retry-after-ms", "x-should-retry"),
)
# gzip, or zlib's own, whichever it is
_ANY_ZLIB = 47
# OpenAI's client adds headers from the environment: an organisation, a project, whatever it is told
_OF_THE_CONNECTION = frozenset({"connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True)
class Server:
    """Where a server is, and how patiently it is asked.

    The rest is for sentences: `title` names it ("The judge's server"), `section` and `url_field`
    say where a recipe names its address, `model` is what it is asked for, `speaks` how. `key_name`
    is the environment variable that holds the key, empty where there is none. Of one answer at most
    `most_bytes` are read.
    """

    url: str
    model: str
    max_retries: int
    timeout_seconds: float
    title: str
    section: str
    url_field: str
    key_name: str
    speaks: str
    most_bytes: int = MAX_BYTES


def check_address(server: Server) -> None:
    """Raise ValueError, in a sentence, where no request could be sent. Asks no server."""
    where = f"{server.section}.{server.url_field}"
    # An '@' is refused wherever it stands: a password may hold a slash. The password is not shown,
    # and none is stored.
    if "@" in server.url:
        raise ValueError(
            f"{where} has an '@', as before it a user and a password are given, and recipes are "
            f"stored as they are: leave them out, a key belongs into {server.key_name} in the "
            "environment."
        )
    url = _split(server)
    if url.query or url.fragment:
        raise ValueError(
            f"{where} '{address(server)}?...' has a query or a fragment, to which no path can be "
            "added: leave it out."
        )
    if importlib.util.find_spec("openai") is None:
        raise ValueError(
            f"{server.section} needs the package openai, which is not installed: pip install openai"
        )


def check_key(server: Server) -> None:
    """Raise ValueError where a server elsewhere would be asked without a key."""
    if not (key_of(server) or is_loopback(server)):
        raise ValueError(
            f"{server.section} asks {address(server)}, but {server.key_name} is not set in the "
            "environment: export it (any text where the server wants no key)."
        )


def address(server: Server) -> str:
    """Return the address without user, password, query and fragment: it may be stored and shown."""
    url = _split(server)
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}{url.path.rstrip('/')}"


def key_of(server: Server) -> str | None:
    """Return the key, None where the environment has none."""
    return os.environ.get(server.key_name, "").strip() or None


def is_loopback(server: Server) -> bool:
    """Say whether the server is on this machine."""
    host = _split(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connect(server: Server) -> "OpenAI":
    """Return a client for the server; it is asked nothing yet."""
    from openai import OpenAI, Timeout

    seconds = server.timeout_seconds
    return OpenAI(
        base_url=server.url,
        api_key=key_of(server) or _NO_KEY,
        max_retries=server.max_retries,
        timeout=Timeout(seconds, connect=min(10.0, seconds)),
        http_client=_bounded_client(server),
    )


def troubles() -> tuple[type[Exception], ...]:
    """Return what a request raises where a server fails or sends what cannot be read.

    JSON that is nested too deeply ends as RecursionError.
    """
    from openai import OpenAIError

    return OpenAIError, ValueError, RecursionError


def printable(words: str) -> str:
    """Return words in one line, without what would move a cursor or turn a line around."""
    shown = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(shown.split())


def safe_words(error: Exception, server: Server) -> str:
    """Return the server's own words, without the key: they go into logs and records."""
    hide = partial(without_key, server=server)
    words = hide(f"{error} ({error.__cause__})" if error.__cause__ else str(error))
    body = getattr(error, "body", None)
    if body and " - " not in words:
        # the client quotes a body only where it has OpenAI's shape
        words = f"{words} - {short_repr(body, hide=hide)}"
    words = printable(words)
    if len(words) > 300:
        words = f"{words[:300]}..."
    return words.rstrip(".")


def without_key(words: str, server: Server) -> str:
    """Return what a server says without the key that it was sent, and any other credential.

    It is to be done before anything is cut. A key that is too short to be one is left alone.
    """
    key = key_of(server) or _NO_KEY
    if key != _NO_KEY and len(key) >= _SHORTEST_KEY:
        words = words.replace(key, MARK)
    return words_without_credentials(words)


def failure(error: Exception, server: Server) -> str:
    """Say in a sentence what went wrong with the server and what to do about it."""
    trouble = _trouble(error, safe_words(error, server), server)
    return f"{server.title} at {address(server)} {trouble}"


def _trouble(error: Exception, words: str, server: Server) -> str:
    """Name the trouble, in the server's words, and its remedy."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    retried = f"(after {server.max_retries} retries)"
    section, where = server.section, f"{server.section}.{server.url_field}"
    match error:
        case APITimeoutError():
            return (
                f"gave no answer within {server.timeout_seconds:g} seconds {retried}: raise "
                f"timeout_seconds or lower concurrency in {section}."
            )
        case APIConnectionError():
            return f"cannot be reached {retried}: {words}. Start it, or correct {where}."
        case APIStatusError(status_code=401 | 403):
            of_key = f"{server.key_name} in the environment" if server.key_name else where
            return f"does not accept the key: {words}. Correct {of_key}."
        case APIStatusError(status_code=status) if 300 <= status < 400:
            return f"sends requests elsewhere: {words}. Correct {where}."
        case APIStatusError(status_code=404):
            return (
                f"knows no such model or path: {words}. Correct model or {server.url_field} (... "
                f"/v1) in {section}."
            )
        case APIStatusError(status_code=429):
            return (
                f"takes no more requests {retried}: {words}. Lower concurrency in {section}, or "
                "wait."
            )
        case APIStatusError(status_code=status) if status >= 500:
            return (
                f"failed {retried}: {words}. Look into its log: it may not have '{server.model}'."
            )
        case _:
            return (
                f"does not speak {server.speaks}: {words}. Correct {where} (it often ends in /v1)."
            )


def _split(server: Server) -> SplitResult:
    try:
        url = urlsplit(server.url)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return url
    except ValueError:
        # a port that is no number, a bracket that does not close
        pass
    shown = server.url.rpartition("@")[2].partition("?")[0]
    raise ValueError(
        f"{server.section}.{server.url_field} '{shown}' is not an address: write it like "
        "http://127.0.0.1:8000/v1."
    )


def _bounded_client(server: Server) -> "DefaultHttpxClient":
    """Return an HTTP client that waits and reads no longer than it may, sends no more than it must,
    and goes nowhere else.

    After too long a time it raises its library's own timeout, so that the client of OpenAI tries
    again; and ValueError at an answer that is too long or cannot be unpacked.
    """
    from openai import DefaultHttpxClient

    key = key_of(server) or _NO_KEY
    # httpx, or the one that later versions of openai come with
    library = import_module(DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])

    class Bounded(DefaultHttpxClient):
        # the client asks for no streams, so that every answer is read here
        def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:  # noqa: ARG002 - never one
            _keep_only_ours(request.headers, request.url.netloc.decode("ascii"), key)
            options |= {"follow_redirects": False}
            send = partial(super().send, request, stream=True, **options)
            last = time.monotonic() + server.timeout_seconds
            try:
                return _within(server.timeout_seconds, lambda: self._answer(send(), request, last))
            except TimeoutError as late:
                raise library.ReadTimeout("It came too late.", request=request) from late

        def _answer(self, response: Any, request: Any, last: float) -> Any:
            try:
                content = _content(response, server.most_bytes, last)
            finally:
                response.close()
            return type(response)(
                response.status_code,
                headers=_headers(response.headers.multi_items()),
                content=content,
                request=request,
            )

    # no proxy to one's own machine
    return Bounded(trust_env=not is_loopback(server))


def _within(seconds: float, answer: Callable[[], Answered]) -> Answered:
    """Return what comes within so many seconds in all. Raises TimeoutError.

    A client's own timeouts are of each read, and a name may be looked up for minutes. What comes
    too late is let go of: its thread ends with the connection.
    """
    promise: Future[Answered] = Future()

    def work() -> None:
        try:
            promise.set_result(answer())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            promise.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return promise.result(seconds)


def _content(response: Any, most: int, last: float) -> bytes:
    """Read and unpack an answer, as far as that may go and until `last` on the clock."""
    packed = response.headers.get("content-encoding", "").strip().lower() in ("gzip", "deflate")
    unpacking = zlib.decompressobj(_ANY_ZLIB) if packed else None
    content = bytearray()
    try:
        for piece in response.iter_raw():
            if time.monotonic() > last:
                raise TimeoutError
            left = most + 1 - len(content)
            content += piece if unpacking is None else unpacking.decompress(piece, left)
            if len(content) > most:
                raise ValueError(f"it sent more than {most:,} bytes as one answer")
    except zlib.error as error:
        raise ValueError(f"it sent what it calls gzip and is none ({error})") from None
    return bytes(content)


def _headers(sent: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of an answer, with a pause that is bounded."""
    by_name = {name.lower(): value for name, value in sent}
    headers = [(name, value) for name, value in by_name.items() if name not in _NOT_KEPT]
    wanted = pause(by_name)
    return headers if wanted is None else [*headers, ("retry-after-ms", str(round(1000 * wanted)))]


def pause(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a server asks to be left alone, a minute at most; None where it
    says nothing that could be meant.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    seconds = _number(headers.get("retry-after", ""))
    if milliseconds is not None:
        seconds = milliseconds / 1000
    if seconds is None:
        seconds = _seconds_until(headers.get("retry-after", ""))
    return min(seconds, LONGEST_PAUSE) if seconds > 0 else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_until(date: str) -> float:
    """Return how far a date of HTTP lies ahead; 0 where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0


def _keep_only_ours(headers: MutableMapping[str, str], host: str, key: str) -> None:
    for name in set(headers) - _OF_THE_CONNECTION:
        del headers[name]
    headers.update(
        {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "host": host,
            "user-agent": "stagelift",
        }
    )
