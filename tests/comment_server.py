"""A server on loopback where the API of GitHub or GitLab is: it keeps comments, page by page."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "the-token-of-a-job"


@dataclass
class Comments:
    """What the server keeps and was asked. `refuses` is what it answers to whoever writes, and
    `turns_away_to` sends everyone to another address.
    """

    address: str = ""
    kept: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    refuses: int | None = None
    turns_away_to: str | None = None

    def add(self, body: str, author: int = 1) -> dict[str, Any]:
        """Keep a comment; author 1 is the job's own account, a bot."""
        kind = "Bot" if author == 1 else "User"
        made = {"id": 100 + len(self.kept), "body": body}
        self.kept.append({**made, "user": {"type": kind}, "author": {"id": author}})
        return self.kept[-1]

    @property
    def bodies(self) -> list[str]:
        return [one["body"] for one in self.kept]


@contextmanager
def served() -> Iterator[Comments]:
    """Serve comments on a free port, in a thread."""
    comments = Comments()
    server = HTTPServer(("127.0.0.1", 0), _handler(comments))
    comments.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield comments
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(comments: Comments) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(lambda path, query: _read(comments, path, query))

        def do_POST(self) -> None:
            self._answer(lambda *_: comments.add(self._body()["body"]), writes=True)

        def do_PATCH(self) -> None:
            self._answer(lambda path, _: self._changed(path), writes=True)

        do_PUT = do_PATCH

        def _changed(self, path: str) -> dict[str, Any]:
            number = int(path.rpartition("/")[2])
            (one,) = [one for one in comments.kept if one["id"] == number]
            one["body"] = self._body()["body"]
            return one

        def _body(self) -> dict[str, Any]:
            return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, made: Any, *, writes: bool = False) -> None:
            token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN")
            comments.requests.append((self.command, self.path, token))
            parts = urlsplit(self.path)
            if comments.turns_away_to is not None:
                self.send_response(302)
                self.send_header("Location", comments.turns_away_to)
                self.end_headers()
                return
            if writes and comments.refuses is not None:
                self.send_response(comments.refuses)
                self.end_headers()
                return
            content = json.dumps(made(parts.path, parse_qs(parts.query))).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    return Handler


def _read(comments: Comments, path: str, query: dict[str, list[str]]) -> Any:
    if path == "/user":
        return {"id": 1}
    if path.endswith("/pulls"):
        (head,) = query["head"]
        return [pull for pull in comments.pulls if pull["head"]["label"] == head]
    (size,), (page,) = query["per_page"], query["page"]
    begin = (int(page) - 1) * int(size)
    return comments.kept[begin : begin + int(size)]
