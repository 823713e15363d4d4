"""Which engine measures a model: chosen by settings, named for the contract, checked, opened."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from stagelift.evals.contract import OF_THE_SERVER
from stagelift.evals.models.engines.engine import Engine
from stagelift.evals.models.engines.served import (
    SECTION,
    Served,
    can_load_adapters,
    cannot_load_adapters,
    look,
    server_of,
    with_adapter,
)
from stagelift.evals.models.engines.server import ServerEngine
from stagelift.evals.models.engines.settings import (
    ChosenEngine,
    EngineSettings,
    ServerSettings,
    TransformersSettings,
    Undecided,
    VllmSettings,
)
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.engines.vllm import (
    check_adapter_settings,
    missing_vllm,
    vllm_identity,
    vllm_server,
    vllm_version,
)
from stagelift.evals.models.model import (
    Device,
    ModelRef,
    context_length,
    end_tokens,
    load_model,
    tokenizer_of,
)
from stagelift.evals.servers import Server, address, check_address, connect

if TYPE_CHECKING:
    from openai import OpenAI
    from transformers import PreTrainedTokenizerBase

# a person waits for the first look
_GREETING_RETRIES = 2
# vLLM itself puts as many together as fit
_VLLM_CONCURRENCY = 128


class Opened(NamedTuple):
    """An engine that answers. `version` is what a server calls itself, by its kind."""

    engine: Engine
    version: dict[str, str]


def chosen_engine(settings: EngineSettings, model: str, device: Device) -> ChosenEngine:
    """Return the engine that `auto` stands for, and what a server calls `model`, the recipe's."""
    match settings:
        case Undecided() if device == "cuda" and vllm_version() is not None:
            return VllmSettings()
        case Undecided():
            return TransformersSettings()
        case ServerSettings(model=None):
            return settings.model_copy(update={"model": model})
        case _:
            return settings


def engine_contract(settings: ChosenEngine, model: ModelRef) -> dict[str, str]:
    """Return what the contract says of the engine; asks no server and loads no model.

    Raises ValueError where vLLM is named and is not there.
    """
    fields = {"dtype": model.dtype, "device": model.device}
    match settings:
        case TransformersSettings():
            return {"engine": TransformersEngine.identity, **fields}
        case VllmSettings():
            version = vllm_version()
            if version is None:
                raise ValueError(missing_vllm())
            return {"engine": vllm_identity(settings, version), **fields}
        case ServerSettings():
            own = dict.fromkeys(fields, OF_THE_SERVER)
            return {"engine": _server_identity(settings), **own}
        case _:
            assert_never(settings)


def check_engine_settings(settings: EngineSettings, loras: Sequence[dict[str, Any]]) -> None:
    """Raise ValueError, in a sentence, where the engine cannot work with these LoRA settings, or
    its server has no address. Asks no server.
    """
    match settings:
        case VllmSettings():
            if vllm_version() is None:
                raise ValueError(missing_vllm())
        case ServerSettings():
            check_address(server_of(settings))
            if any(lora != loras[0] for lora in loras):
                raise ValueError(
                    f"{SECTION} cannot measure stages whose LoRA settings differ: adapters below "
                    "would have to be merged into the server's weights. Give all stages the same "
                    "lora, or set evals.engine to transformers."
                )
        case _:
            return
    for lora in loras:
        check_adapter_settings(settings.kind, lora)


def check_engine_server(settings: ChosenEngine, model: ModelRef, *, adapters: bool) -> None:
    """Ask a server for one token, so that a wrong model or address shows before hours of training.

    With `adapters` it must load them at run time. Raises ConnectionError in a sentence.
    """
    if not isinstance(settings, ServerSettings):
        return
    retries = min(settings.max_retries, _GREETING_RETRIES)
    server = server_of(settings.model_copy(update={"max_retries": retries}))
    tokenizer = tokenizer_of(model)
    with connect(server) as client:
        look(client, server, tokenizer)
        if adapters and not can_load_adapters(client, server):
            raise ConnectionError(cannot_load_adapters(server))


@contextmanager
def open_engine(
    settings: ChosenEngine,
    ref: ModelRef,
    tokenizer: "PreTrainedTokenizerBase",
    slots: int,
) -> Iterator[Opened]:
    """Give the engine that answers as the model of `ref`, and end what was started for it.

    Where the model is loaded into this process, `slots` is how many requests it works on at once.
    Raises ConnectionError in a sentence.
    """
    match settings:
        case TransformersSettings():
            yield Opened(TransformersEngine(load_model(ref), tokenizer, slots), {})
        case VllmSettings():
            with vllm_server(settings, ref, tokenizer) as server, connect(server) as client:
                served = look(client, server, tokenizer)
                identity = vllm_identity(settings, served.version["vllm"])
                asked = _Asked(identity, server, client, served, _VLLM_CONCURRENCY)
                yield _opened(asked, server.model, ref, tokenizer)
        case ServerSettings():
            server = server_of(settings)
            with connect(server) as client:
                served = look(client, server, tokenizer)
                identity = _server_identity(settings)
                asked = _Asked(identity, server, client, served, settings.concurrency)
                with _answering(client, server, ref) as model:
                    yield _opened(asked, model, ref, tokenizer)
        case _:
            assert_never(settings)


class _Asked(NamedTuple):
    """A server that answers, and how hard it is asked."""

    identity: str
    server: Server
    client: "OpenAI"
    served: Served
    concurrency: int


def _opened(
    asked: _Asked, model: str, ref: ModelRef, tokenizer: "PreTrainedTokenizerBase"
) -> Opened:
    engine = ServerEngine(
        identity=asked.identity,
        server=asked.server,
        client=asked.client,
        served=asked.served,
        model=model,
        tokenizer=tokenizer,
        ends=end_tokens(ref, tokenizer),
        context=context_length(ref),
        concurrency=asked.concurrency,
    )
    return Opened(engine, asked.served.version)


def _server_identity(settings: ServerSettings) -> str:
    return f"server-1:{settings.model}@{address(server_of(settings))}"


@contextmanager
def _answering(client: "OpenAI", server: Server, ref: ModelRef) -> Iterator[str]:
    """Give the name under which the server answers as a model, its adapter loaded for so long."""
    if ref.adapter is None:
        yield server.model
        return
    if not can_load_adapters(client, server):
        raise ConnectionError(cannot_load_adapters(server))
    with with_adapter(client, server, Path(ref.adapter)) as model:
        yield model
