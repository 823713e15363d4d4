"""Whatever a judge's server sends, and however slowly: a verdict only where it sent one."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.files import read_records
from stagelift.evals.judges.judge import Judge, Pair, Response
from stagelift.evals.judges.openai import Answer, openai_judge
from stagelift.evals.judges.openai_reply import WrongReplyError, read_reply
from stagelift.evals.judges.openai_request import THINKING_TOKENS, USUAL, without_refused
from stagelift.evals.judges.openai_server import MOST_BYTES, OpenAIJudge, check_server
from stagelift.evals.servers import LONGEST_PAUSE, pause

pytest.importorskip("openai")
# how a request is answered: everything is up to it, from the status line on
Answering = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]
PLENTY = 10.0


def pair(text: str) -> Pair:
    return Pair(id=text, prompt="2 + 3?", first=Response(text=text), second=Response(text="No."))


class Server:
    """A server in a thread; it remembers what it was asked."""

    def __init__(self, answering: Answering) -> None:
        self.seen: list[dict[str, Any]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append(body)
                try:
                    answering(self, body)
                except OSError:
                    # nobody listens any more
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


Serve = Callable[[Answering], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answering: Answering) -> Server:
        servers.append(Server(answering))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def send(http: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    sent = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    http.send_response(status)
    for name, value in (sent | {n.replace("_", "-"): v for n, v in headers.items()}).items():
        http.send_header(name, value)
    http.end_headers()
    http.wfile.write(body)


def completion(content: Any = "A", ending: str = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 100, "completion_tokens": 2}
    return {"choices": [{"message": said, "finish_reason": ending}], "usage": usage}


def says(http: BaseHTTPRequestHandler, content: Any = "A", **message: Any) -> None:
    send(http, 200, json.dumps(completion(content, **message)).encode())


def judge(server: Server, folder: Path, **settings: Any) -> Judge:
    asked = {"max_retries": 0, "timeout_seconds": PLENTY, "concurrency": 1, **settings}
    return openai_judge(
        OpenAIJudge(base_url=server.url, model="m", **asked), folder / "answers.jsonl"
    )


def asked_of(judge: Judge) -> tuple[str, ...]:
    usage = judge.usage()
    assert usage is not None
    return usage.asked


def is_about(body: dict[str, Any], text: str) -> bool:
    return f"\n{text}\n</response_a" in body["messages"][1]["content"]


@pytest.mark.parametrize(
    "content",
    [
        *(b"null", b"[]", b"7", b'"A"', b"{}", b'{"choices": null}', b'{"choices": []}'),
        *(b'{"choices": [null]}', b'{"choices": {"0": 1}}', b'{"choices": [{"message": null}]}'),
        *(b'{"choices": [{}]}', b'{"choices": [{"message": {"content": [{"text": "A"}]}}]}'),
        *(b'{"choices": [{"message": {"content": 7}}]}', b'{"error": {"message": "no"}}'),
        *(b"<html>A</html>", b'{"choices": [{"message": {"con', b"", b"\xff\xfeA", b"NaN"),
        *(b"[" * 100_000, b'{"a":' * 100_000, json.dumps(completion()).encode("utf-16")),
    ],
)
def test_what_is_no_completion_is_no_verdict_and_counted(
    content: bytes, serve: Serve, tmp_path: Path
) -> None:
    with pytest.raises(WrongReplyError):
        read_reply(content)

    def answer(http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        send(http, 200, content if is_about(body, "odd") else json.dumps(completion()).encode())

    server = serve(answer)
    opinions = judge(server, tmp_path).decide([pair("even"), pair("odd"), pair("both")])
    assert [opinion.score for opinion in opinions] == [1, None, 1]
    assert opinions[1].reason.startswith("refused: ")
    # it was asked for once more, and is not asked for again
    assert judge(server, tmp_path).decide([pair("odd")])[0] == opinions[1]
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"\xef\xbb\xbf" + json.dumps(completion()).encode(), {}),
        (json.dumps(completion()).encode(), {"Content_Type": "text/html; charset=latin-7"}),
        (gzip.compress(json.dumps(completion()).encode(), mtime=0), {"Content_Encoding": "gzip"}),
        (b'{"usage": NaN, "x": "\\ud800", "choices": [{"message": {"content": "A"}}]}', {}),
        (b'{"usage": {"prompt_tokens": -1}, "choices": [{"message": {"content": "A"}}, 7]}', {}),
    ],
)
def test_a_completion_is_read_whatever_is_odd_beside_it(
    content: bytes, headers: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    server = serve(lambda http, _: send(http, 200, content, **headers))
    assert judge(server, tmp_path).decide([pair("5")])[0].score == 1


def test_a_reply_that_cannot_be_stored_is_stored_cleaned(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda http, _: says(http, "A\x00 \ud800" + "x" * 100_000))
    opinion = judge(server, tmp_path).decide([pair("5")])[0]
    (answer,) = read_records(tmp_path / "answers.jsonl", Answer)
    assert opinion.score is None
    assert answer.reply.startswith("A\ufffd \ufffdxxx") and len(answer.reply) < 2_100
    assert answer.reply.endswith("... (100,004 characters)")


@pytest.mark.parametrize("packed", [False, True])
def test_a_reply_of_50_mb_is_not_read_to_its_end(
    packed: bool, serve: Serve, tmp_path: Path
) -> None:
    large = json.dumps(completion("A" * 50_000_000)).encode()
    content = gzip.compress(large, 1, mtime=0) if packed else large
    headers = {"Content_Encoding": "gzip"} if packed else {}
    server = serve(lambda http, _: send(http, 200, content, **headers))
    with pytest.raises(ConnectionError, match=f"sent more than {MOST_BYTES:,} bytes"):
        judge(server, tmp_path).decide([pair("5")])
    assert read_records(tmp_path / "answers.jsonl", Answer) == []


def test_what_is_called_gzip_and_is_none_is_no_verdict(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda http, _: send(http, 200, b"plain", Content_Encoding="gzip"))
    with pytest.raises(ConnectionError, match=r"does not speak chat completions: it sent what it"):
        judge(server, tmp_path).decide([pair("5")])


def drips_body(http: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    http.send_response(200)
    http.send_header("Content-Length", "1000")
    http.end_headers()
    for _byte in range(100):
        http.wfile.write(b" ")
        http.wfile.flush()
        time.sleep(0.05)


def drips_headers(http: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: " + b"x" * 100:
        http.wfile.write(bytes([byte]))
        http.wfile.flush()
        time.sleep(0.05)


def never_ends(http: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    http.send_response(200)
    http.end_headers()
    for _piece in range(100):
        http.wfile.write(b" " * 1000)
        time.sleep(0.05)


@pytest.mark.parametrize("answering", [drips_body, drips_headers, never_ends])
def test_time_is_bounded_in_all_however_slowly_it_comes(
    answering: Answering, serve: Serve, tmp_path: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=r"gave no answer within 0\.4 seconds"):
        judge(serve(answering), tmp_path, timeout_seconds=0.4).decide([pair("5")])
    assert time.monotonic() - began < 3


def test_no_request_goes_where_an_answer_says(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda http, _: send(http, 302, b"", Location="/v1/chat/completions"))
    with pytest.raises(ConnectionError, match=r"sends requests elsewhere: .*Correct .*base_url"):
        judge(server, tmp_path).decide([pair("5")])
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "20", "retry-after": "9"}, 0.02),
        ({"retry-after": "86400"}, LONGEST_PAUSE),
        ({"retry-after": "1e999"}, LONGEST_PAUSE),
        ({"retry-after": "9" * 500}, LONGEST_PAUSE),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_PAUSE),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        *(({"retry-after": text}, None) for text in ("-5", "0", "nan", "soon", "", "1 2", "-inf")),
        ({}, None),
    ],
)
def test_a_server_may_ask_for_a_pause_of_a_minute(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert pause(headers) == seconds


def test_a_date_may_be_waited_for() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    wanted = pause({"retry-after": soon})
    assert wanted is not None and 15 < wanted <= 20


def refuses(http: BaseHTTPRequestHandler, parameter: str, words: str) -> None:
    said = {"message": words, "param": parameter, "code": "unsupported_parameter"}
    send(http, 400, json.dumps({"error": said}).encode())


def of_a_thinking_model(http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    if "max_tokens" in body:
        words = "'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        refuses(http, "max_tokens", f"Unsupported parameter: {words}")
    elif "temperature" in body:
        refuses(http, "temperature", "'temperature' does not support 0 with this model.")
    elif body["max_completion_tokens"] < 100:
        says(http, "", ending="length")
    else:
        says(http, "B")


def test_a_thinking_model_is_asked_as_it_wants_and_it_is_remembered(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(of_a_thinking_model)
    check_server(OpenAIJudge(base_url=server.url, model="m"))
    server.seen.clear()
    asked = judge(server, tmp_path)
    assert [opinion.score for opinion in asked.decide([pair("5"), pair("6")])] == [0, 0]
    # three in vain, and one for each pair
    assert len(server.seen) == 5
    assert {*server.seen[-1]} == {"model", "messages", "max_completion_tokens"}
    assert asked_of(asked) == (
        "without a temperature, which the server refuses",
        "with max_completion_tokens in place of max_tokens",
        "with up to 4,096 tokens, as it thinks first",
    )
    # in another process, too
    again = judge(server, tmp_path)
    assert again.decide([pair("5"), pair("7")])[1].score == 0
    assert len(server.seen) == 6 and asked_of(again) == asked_of(asked)


def test_a_server_that_takes_no_limit_is_asked_without(serve: Serve, tmp_path: Path) -> None:
    def answer(http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        limits = {"max_tokens", "max_completion_tokens"} & {*body}
        if limits:
            detail = [{"loc": ["body", *limits], "msg": "Extra inputs are not permitted"}]
            send(http, 422, json.dumps({"detail": detail}).encode())
        else:
            says(http)

    asked = judge(serve(answer), tmp_path)
    assert asked.decide([pair("5")])[0].score == 1
    assert asked_of(asked) == ("without a limit of tokens, which the server refuses",)


def test_a_refusal_that_is_about_something_else_stays_one(serve: Serve, tmp_path: Path) -> None:
    def answer(http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if is_about(body, "long"):
            refuses(http, "", "Too many tokens: lower max_tokens, or the temperature of this room.")
        else:
            says(http)

    server = serve(answer)
    asked = judge(server, tmp_path)
    opinions = asked.decide([pair("5"), pair("long"), pair("6")])
    assert [opinion.score for opinion in opinions] == [1, None, 1]
    assert asked_of(asked) == () and server.seen[-1]["temperature"] == 0


@pytest.mark.parametrize(
    ("thought", "said"),
    [
        ({"content": None, "reasoning_content": "Let me see"}, {"content": "A"}),
        ({"content": "", "reasoning": "Let me see"}, {"content": "A", "reasoning": "5 is."}),
        ({"content": "<think>Let me"}, {"content": "<think>Let me see: B?</think>\n\nA"}),
        # the template began the thought
        ({"content": "Okay, so I"}, {"content": "Okay, so I see: B?\n</think>\n\nA."}),
    ],
)
def test_a_model_that_thinks_gets_room_for_it(
    thought: dict[str, Any], said: dict[str, Any], serve: Serve, tmp_path: Path
) -> None:
    def answer(http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if body["max_tokens"] < THINKING_TOKENS:
            says(http, ending="length", **thought)
        else:
            says(http, **said)

    server = serve(answer)
    asked = judge(server, tmp_path)
    assert [opinion.score for opinion in asked.decide([pair("5"), pair("6")])] == [1, 1]
    assert len(server.seen) == 3
    usage = asked.usage()
    assert usage is not None and usage.prompt_tokens == 300
    assert usage.asked == ("with up to 4,096 tokens, as it thinks first",)


def test_a_model_that_only_talks_is_given_room_once(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda http, _: says(http, "The better response is", ending="length"))
    asked = judge(server, tmp_path)
    opinions = asked.decide([pair("5"), pair("6"), pair("7")])
    assert [opinion.score for opinion in opinions] == [None] * 3
    assert len(server.seen) == 4 and asked_of(asked) == ()


def test_a_thought_without_an_end_is_no_verdict(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda http, _: says(http, None, ending="length", reasoning_content="Hm"))
    opinion = judge(server, tmp_path).decide([pair("5")])[0]
    assert opinion.reason == "refused: its tokens were at an end before a word"


def test_a_server_that_has_gone_wrong_stops_it_and_nothing_of_that_is_kept(
    serve: Serve, tmp_path: Path
) -> None:
    def answer(http: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        if len(server.seen) <= 3:
            says(http)
        else:
            send(http, 200, b"<html>Come back later.</html>")

    server = serve(answer)
    pairs = [pair(str(number)) for number in range(60)]
    with pytest.raises(ConnectionError, match=r"it sent '<html>.*Answers so far are kept"):
        judge(server, tmp_path).decide(pairs)
    assert len(read_records(tmp_path / "answers.jsonl", Answer)) == 3
    assert len(server.seen) < 3 + 2 * 25


def test_a_key_that_a_server_repeats_is_stored_nowhere(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k-7-real")

    def answer(http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        header = http.headers["Authorization"]
        if is_about(body, "5"):
            says(http, f"You sent {header}.")
        elif is_about(body, "6"):
            send(http, 400, json.dumps({"error": {"message": f"no {header}"}}).encode())
        else:
            send(http, 200, json.dumps({"headers": {"Authorization": header}}).encode())

    opinions = judge(serve(answer), tmp_path).decide([pair("5"), pair("6"), pair("7")])
    stored = (tmp_path / "answers.jsonl").read_text()
    assert stored.count("[credential]") == 3
    assert "k-7" not in stored + str(opinions)


def test_only_what_was_sent_and_is_named_is_left_out() -> None:
    assert without_refused(USUAL, "temperatures above 2 are refused") is None
    assert without_refused(USUAL, "x" * 600 + " temperature") is None
    other = without_refused(USUAL, "max_tokens")
    assert other is not None and other.limit == "max_completion_tokens"
    last = without_refused(other, "max_completion_tokens")
    assert last is not None and last.limit is None and last.may_think()
    assert without_refused(last, "max_tokens max_completion_tokens") is None


def test_no_part_of_a_key_is_stored_where_a_reply_is_cut(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "abcdefghijk")
    server = serve(lambda http, _: says(http, "x" * 1_993 + "abcdefghijk" + "y" * 1_000))
    judge(server, tmp_path).decide([pair("5")])
    assert "abc" not in (tmp_path / "answers.jsonl").read_text().partition("xxx")[2]
    with pytest.raises(WrongReplyError) as wrong:
        read_reply(b"x" * 89 + b" hf_abcdefghijABCDEFGHIJabcdefghijABCD")
    assert "hf_" not in str(wrong.value)


@pytest.mark.parametrize("key", ["A", "not-needed"])
def test_a_key_that_is_none_changes_no_verdict(
    key: str, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server = serve(lambda http, _: says(http, "A"))
    assert judge(server, tmp_path).decide([pair("5")])[0].score == 1
