"""A judge's server: whatever it sends, there is a verdict only where it sent one."""

import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from stagelift.evals.files import read_records
from stagelift.evals.judges.judge import Pair, Response
from stagelift.evals.judges.openai import Answer, openai_judge
from stagelift.evals.judges.openai_prompt import VERDICTS, read_verdict
from stagelift.evals.judges.openai_server import OpenAIJudge
from tests.fuzz.law import Target, assert_sentence
from tests.fuzz.mutations import VALUES, as_json, changed_bytes, changed_value
from tests.test_openai_judge import error, says

WORDS = (
    "A",
    "B",
    "TIE",
    "A.",
    " B\n",
    "tie",
    "**A**",
    "A or B",
    "C",
    "A\x00",
    "Α",
    "TIE..",
    "\u202eA",
)
PAIR = Pair(id="1", prompt="2 + 2?", first=Response(text="4"), second=Response(text="5"))


class Reply(NamedTuple):
    """What a server sends back."""

    status: int
    body: bytes


class _Server:
    """A server on loopback that sends the same to everybody, until it is told to send other."""

    def __init__(self) -> None:
        self.reply = Reply(200, b"")
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = server.reply
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@cache
def _server() -> _Server:
    return _Server()


def word_law(reply: str, _: Path) -> None:
    """Only one of three words is a verdict."""
    opinion = read_verdict(reply)
    word = reply.strip().removesuffix(".")
    assert opinion.score == VERDICTS.get(word)


def reply_law(case: Reply, folder: Path) -> None:
    """A reply is a verdict, none, or the end of asking in a sentence; what is kept can be read."""
    server = _server()
    server.reply = case
    cache = folder / "answers.jsonl"
    settings = OpenAIJudge(base_url=server.url, model="m", max_retries=0, timeout_seconds=20)
    try:
        (opinion,) = openai_judge(settings, cache).decide([PAIR])
    except ConnectionError as failed:
        assert_sentence(str(failed))
    else:
        assert opinion.score is None or _says(case, opinion.score)
        again = openai_judge(settings, cache).decide([PAIR])
        assert again == [opinion]
    read_records(cache, Answer)


def _says(case: Reply, score: float) -> bool:
    """Say whether a completion with that one word stands in a reply."""
    content = json.loads(case.body)["choices"][0]["message"]["content"]
    return case.status < 300 and VERDICTS[content.strip().removesuffix(".")] == score


def _body(content: Any) -> bytes:
    return as_json(says(content)[1])


@st.composite
def _replies(draw: st.DrawFn) -> Reply:
    status = draw(st.sampled_from((200, 200, 200, 200, 201, 204, 400, 401, 404, 422, 429, 500)))
    word = draw(st.sampled_from(WORDS) | st.text(max_size=5))
    match draw(st.sampled_from(("word", "shape", "shape", "bytes", "error"))):
        case "word":
            body = _body(word)
        case "shape":
            body = as_json(draw(changed_value(says(word)[1])))
        case "error":
            body = as_json(draw(changed_value(error(400, "no", "content_filter")[1])))
        case _:
            body = draw(changed_bytes(_body(word)))
    return Reply(status, body)


_words = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=5),
    st.sampled_from([value for value in VALUES if isinstance(value, str)]),
)

REPLIES = (
    Target("judge's word", _words, word_law),
    Target("judge's reply", _replies(), reply_law),
)
