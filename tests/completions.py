"""A completions server in a thread, around a real model: it generates for real.

As `vllm` it takes and tells tokens, gives log-probabilities of prompts and loads adapters; else it
knows text only, as many servers do.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from stagelift.evals.models.engines.engine import Request, Sampling
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer

# a status, and a body: as JSON, as a page of text, or as bytes that are called JSON
Sent = tuple[int, Any]


class CompletionsServer:
    """Serves a model folder as `base`. `spoil` may change a reply, by the number of completions so
    far.
    """

    def __init__(self, model: Path, *, vllm: bool) -> None:
        self.model, self.vllm, self.version = model, vllm, "0.32.0"
        self.tokenizer = load_tokenizer(str(model), None, None)
        self.engines = {"base": self._engine(None)}
        self.adapters: list[str] = []
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        # by the names of models, those that are listed and not there with them
        self.contexts: dict[str, int] = {}
        self.now = self.most = 0
        self.spoil: Callable[[int, Sent], Sent] = lambda _, reply: reply
        self.lock, self.counting = threading.Lock(), threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def get(self, path: str) -> Sent:
        if path == "/v1/models":
            owner = "vllm" if self.vllm else "someone"
            names = dict.fromkeys((*self.engines, *self.contexts))
            models = [
                {"id": name, "owned_by": owner, "max_model_len": self.contexts.get(name)}
                for name in names
            ]
            return 200, {"data": models}
        if path == "/version" and self.vllm:
            return 200, {"version": self.version}
        return 404, {"error": {"message": "Not Found"}}

    def post(self, path: str, body: dict[str, Any]) -> Sent:
        if path == "/v1/completions":
            return self._counted(body)
        if not self.vllm or path not in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter"):
            return 404, {"error": {"message": "Not Found"}}
        if "lora_name" not in body:
            return 400, {"error": {"message": "lora_name: Field required"}}
        return self._adapter(path, body)

    def _adapter(self, path: str, body: dict[str, Any]) -> Sent:
        if path == "/v1/unload_lora_adapter":
            del self.engines[body["lora_name"]]
        elif not Path(body["lora_path"]).is_dir():
            return 404, {"error": {"message": f"No adapter found for {body['lora_path']}"}}
        else:
            self.adapters.append(body["lora_path"])
            self.engines[body["lora_name"]] = self._engine(body["lora_path"])
        return 200, "Success"

    def _counted(self, body: dict[str, Any]) -> Sent:
        with self.counting:
            self.seen.append(body)
            number = len(self.seen)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            with self.lock:
                return self.spoil(number, self._completion(body))
        finally:
            with self.counting:
                self.now -= 1

    def _completion(self, body: dict[str, Any]) -> Sent:
        engine, prompt = self.engines.get(body["model"]), body["prompt"]
        if engine is None:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist"}}
        if not self.vllm and not isinstance(prompt, str):
            return 400, {"error": {"message": "prompt must be a string"}}
        text = prompt if isinstance(prompt, str) else self.tokenizer.decode(prompt)
        sampling = None
        if body["temperature"]:
            sampling = Sampling(body["temperature"], body["seed"])
        stop = [*body.get("stop", []), *map(self.tokenizer.decode, body.get("stop_token_ids", []))]
        asked = Request(text, tuple(stop), body["max_tokens"], sampling)
        (made,) = engine.complete([asked], lambda _: None)
        choice = {"index": 0, "text": made.text, "finish_reason": made.finish_reason}
        if self.vllm:
            choice["finish_reason"] = {"stop": "stop", "length": "length"}[made.finish_reason]
            choice["token_ids"] = list(made.tokens) if body.get("return_token_ids") else None
            if body.get("echo"):
                choice["logprobs"] = {"token_logprobs": self._logprobs(engine, text)}
        prompt_tokens = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": len(made.tokens)}
        return 200, {"id": "1", "object": "text_completion", "choices": [choice], "usage": usage}

    def _logprobs(self, engine: TransformersEngine, text: str) -> list[float | None]:
        import torch

        tokens = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logprobs = torch.log_softmax(engine.model(input_ids=tokens).logits[0].float(), dim=-1)
        own = logprobs[:-1].gather(1, tokens[0, 1:, None])[:, 0].tolist()
        # the last one is of the token that was generated
        return [None, *own, -0.5]

    def _engine(self, adapter: str | None) -> TransformersEngine:
        ref = ModelRef(path=str(self.model), dtype="float32", device="cpu", adapter=adapter)
        return TransformersEngine(load_model(ref), load_tokenizer(str(self.model), None, None), 4)


@contextmanager
def serving(model: Path, *, vllm: bool) -> Iterator[CompletionsServer]:
    """Serve a model for a while."""
    server = CompletionsServer(model, vllm=vllm)
    try:
        yield server
    finally:
        server.close()


def _encoded(reply: Any) -> bytes:
    return (reply if isinstance(reply, str) else json.dumps(reply)).encode()


def _handler(server: CompletionsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*server.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.headers.append({name.lower(): text for name, text in self.headers.items()})
            self._send(*server.post(self.path, body))

        def _send(self, status: int, reply: Any) -> None:
            kind = "text/html" if isinstance(reply, str) else "application/json"
            data = reply if isinstance(reply, bytes) else _encoded(reply)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After-Ms", "20")
            if 300 <= status < 400:
                self.send_header("Location", reply["location"])
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
