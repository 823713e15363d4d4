"""A judge's server that misbehaves: it is asked about the responses of the finished run's SFT."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.faults.bench import Bench
from benchmarks.faults.fault import Fault

# what the environment holds, and no file may
SECRET = "key-that-nobody-may-read-0123456789"
_ASK = (
    *("evaluate", "MODEL", "--recipe", "RECIPE", "--adapter", "ADAPTER", "--name", "asked"),
    *(
        "--set",
        "evals.preference.judge={openai: {base_url: 'URL', model: m, max_retries: 0,"
        " timeout_seconds: 20}}",
        "--set",
        "evals.preference.against=[base]",
    ),
)
Answer = Callable[[BaseHTTPRequestHandler], None]


def _completion(content: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}}
    choices = [choice | {"finish_reason": "stop"}]
    return json.dumps(
        {"id": "1", "object": "chat.completion", "model": "m", "choices": choices}
    ).encode()


def _sends(status: int, body: bytes, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def _echoes(request: BaseHTTPRequestHandler) -> None:
    _sends(200, _completion(str(request.headers["Authorization"])))(request)


def _refuses_with_key(request: BaseHTTPRequestHandler) -> None:
    words = {
        "error": {"message": f"bad {request.headers['Authorization']}", "code": "content_filter"}
    }
    _sends(400, json.dumps(words).encode())(request)


def _drips(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    for _ in range(400):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.5)


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Serve on loopback, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()


def _nothing(_: Bench, __: Path) -> None:
    """The server is the fault."""


def _served(name: str, done: str, answer: Answer, codes: tuple[int, ...], says: str = "") -> Fault:
    return Fault(
        "judge's server",
        name,
        done,
        _nothing,
        _ASK,
        codes,
        says,
        is_whole=False,
        variables={"OPENAI_API_KEY": SECRET},
        never=SECRET,
        server=lambda: served(answer),
    )


SERVERS: tuple[Fault, ...] = (
    _served("echoes the key", "each reply is the request's header", _echoes, (0, 2)),
    _served("refuses with the key", "400 that quotes the key", _refuses_with_key, (0, 1, 2)),
    _served("another shape", '`{"choices": 100}`', _sends(200, b'{"choices": 100}'), (0, 1, 2)),
    _served("50 MB", "a reply of 50 MB", _sends(200, _completion("A" * 50_000_000)), (0, 1, 2)),
    _served("drips", "a byte each half second", _drips, (1, 2), "second|time"),
    _served("busy", "429, Retry-After: 100000", _sends(429, b"{}", Retry_After="100000"), (1, 2)),
    _served(
        "half a character",
        "a reply with half a surrogate pair",
        _sends(200, _completion("A").replace(b'"A"', b'"\\ud800"')),
        (0, 1, 2),
    ),
)
