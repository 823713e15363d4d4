"""What a server is and serves: looked at once, before anything is asked of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from pydantic import BaseModel, Field, PositiveInt

from stagelift.evals.credentials import without_credentials
from stagelift.evals.models.engines.completions import Reply, ask
from stagelift.evals.models.engines.settings import ServerSettings
from stagelift.evals.servers import (
    REFUSALS,
    Server,
    address,
    connect,
    failure,
    safe_words,
    troubles,
)

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

SECTION = "evals.engine.server"
# not that of judges: it would be sent to a server that it is not for
KEY = "STAGELIFT_ENGINE_KEY"
_GREETING = [{"role": "user", "content": "Say yes."}]
# these say nothing of what a server can do: not now, or not without a key
_NOT_NOW = (401, 403, 408, 409, 429, 502, 503, 504)


class Served(NamedTuple):
    """A server that was looked at.

    `context` is how many tokens fit into the model as it is served, None where it does not say.
    `version` is what it calls itself, by which kind of server it is: {"vllm": "0.32.0"}, or
    {"server": ...}; empty where it does not say.
    """

    is_vllm: bool
    gives_logprobs: bool
    context: int | None
    version: dict[str, str]


class _Model(BaseModel):
    id: str
    owned_by: str | None = None
    # of an adapter, its base model
    parent: str | None = None
    max_model_len: PositiveInt | None = None


class _Models(BaseModel):
    data: list[_Model] = Field(max_length=100_000)


def server_of(settings: ServerSettings) -> Server:
    """Say where the engine's server is, and how patiently it is asked."""
    return Server(
        url=settings.url,
        model=settings.model or "",
        max_retries=settings.max_retries,
        timeout_seconds=settings.timeout_seconds,
        title="The engine's server",
        section=SECTION,
        url_field="url",
        key_name=KEY,
        speaks="completions",
    )


def look(client: "OpenAI", server: Server, tokenizer: "PreTrainedTokenizerBase") -> Served:
    """Ask a server what it serves, and for one token.

    Raises ConnectionError in a sentence where it does not serve the model, or reads a prompt
    otherwise than the model's tokenizer.
    """
    try:
        models = _listed(client, server)
        is_vllm = any(model.owned_by == "vllm" for model in models)
        greeting = _greet(client, server, tokenizer, is_vllm=is_vllm)
        version = {}
        if is_vllm:
            version = {"vllm": _vllm_version(client, server)}
        elif greeting.system_fingerprint:
            version = {"server": _short(greeting.system_fingerprint)}
        gives_logprobs = _gives_logprobs(client, server, tokenizer)
    except troubles() as error:
        raise ConnectionError(failure(error, server)) from None
    return Served(is_vllm, gives_logprobs, _context(models, server.model), version)


def can_load_adapters(client: "OpenAI", server: Server) -> bool:
    """Say whether adapters can be loaded at run time: a request for none is refused then, and
    knows no such path else. Raises ConnectionError.
    """
    from openai import APIStatusError

    try:
        client.post("/load_lora_adapter", cast_to=object, body={})
    except APIStatusError as error:
        if error.status_code in (404, 405, 501):
            return False
        if error.status_code in REFUSALS:
            return True
        raise ConnectionError(failure(error, server)) from None
    except troubles() as error:
        raise ConnectionError(failure(error, server)) from None
    return True


def cannot_load_adapters(server: Server) -> str:
    """Say that trained stages cannot be measured by this server, and what to do about it."""
    return (
        f"{server.title} at {address(server)} cannot load adapters while it runs, so it can "
        "measure the base model only: start vLLM with --enable-lora and "
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment, or set evals.engine to "
        "transformers."
    )


@contextmanager
def with_adapter(client: "OpenAI", server: Server, adapter: Path) -> Iterator[str]:
    """Load an adapter into a server for a while, under a name of its own, which is returned.

    The server reads the folder itself. Raises ConnectionError in a sentence.
    """
    name = f"stagelift-{uuid4().hex}"
    body = {"lora_name": name, "lora_path": str(adapter.resolve())}
    try:
        client.post("/load_lora_adapter", cast_to=str, body=body)
    except troubles() as error:
        raise ConnectionError(
            f"{server.title} at {address(server)} does not load the adapter '{adapter}': "
            f"{safe_words(error, server)}. It must see this folder, and allow adapters of this "
            "rank (vLLM: --enable-lora --max-lora-rank)."
        ) from None
    try:
        yield name
    finally:
        _unload(server, name)


def _unload(server: Server, name: str) -> None:
    """A server that is gone by now has nothing to unload. The client that loaded may be closed."""
    try:
        with connect(server) as client:
            client.post("/unload_lora_adapter", cast_to=str, body={"lora_name": name})
    except troubles() as error:
        _log.warning("The server keeps adapter %s: %s", name, type(error).__name__)


def _listed(client: "OpenAI", server: Server) -> list[_Model]:
    """Return the models that a server lists, ours among them; empty where it lists none at all."""
    from openai import APIStatusError

    try:
        listed = _Models.model_validate(client.get("/models", cast_to=object))
    except APIStatusError as error:
        if _is_of_the_moment(error):
            raise
        return []
    names = [model.id for model in listed.data]
    if names and server.model not in names:
        raise ValueError(
            f"it serves {', '.join(map(_short, names[:5]))}, not '{server.model}': set "
            f"{SECTION}.model to what it calls the recipe's model"
        )
    return listed.data


def _is_of_the_moment(error: "APIStatusError") -> bool:
    """Say whether a refusal tells nothing of what the server can do, asked again or elsewhere."""
    return error.status_code in _NOT_NOW or error.status_code < 400


def _context(models: list[_Model], name: str) -> int | None:
    """Return how many tokens a model takes as it is served; vLLM does not say it of adapters."""
    by_name = {model.id: model for model in models}
    model = by_name.get(name)
    if model is not None and model.max_model_len is None and model.parent is not None:
        model = by_name.get(model.parent)
    return None if model is None else model.max_model_len


def _greet(
    client: "OpenAI", server: Server, tokenizer: "PreTrainedTokenizerBase", *, is_vllm: bool
) -> Reply:
    """Ask for one token, and count those of the prompt."""
    text = _greeting(tokenizer)
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    body = {"model": server.model, "prompt": tokens if is_vllm else text, "max_tokens": 1}
    reply = ask(client, body={**body, "temperature": 0}, extra={})
    read = None if reply.usage is None else reply.usage.prompt_tokens
    # llama.cpp counts what its cache did not hold
    if read is not None and read > len(tokens):
        raise ValueError(
            f"it reads {read} tokens where the recipe's model has {len(tokens)}: it serves another "
            "model, or adds a beginning of its own to what has one already"
        )
    return reply


def _gives_logprobs(client: "OpenAI", server: Server, tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Say whether a server tells how likely the tokens of a prompt are."""
    from openai import APIStatusError

    body = {"model": server.model, "prompt": _greeting(tokenizer), "max_tokens": 1}
    try:
        reply = ask(client, body={**body, "echo": True, "logprobs": 1, "temperature": 0}, extra={})
    except APIStatusError as error:
        if _is_of_the_moment(error):
            raise
        return False
    except (ValueError, RecursionError):
        return False
    logprobs = reply.choice.logprobs
    # without the echo it is of one token
    return logprobs is not None and len(logprobs.token_logprobs) > 2


def _greeting(tokenizer: "PreTrainedTokenizerBase") -> str:
    return str(tokenizer.apply_chat_template(_GREETING, add_generation_prompt=True, tokenize=False))


def _vllm_version(client: "OpenAI", server: Server) -> str:
    class Version(BaseModel):
        version: str

    address_of_all = server.url.rstrip("/").removesuffix("/v1")
    told: Any = client.get(f"{address_of_all}/version", cast_to=object)
    return _short(Version.model_validate(told).version)


def _short(text: str) -> str:
    """What a server calls something, as it may stand in a record."""
    return "".join(letter for letter in without_credentials(text) if letter.isprintable())[:80]
