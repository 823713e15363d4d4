"""What was found out once and holds as long as all that it depends on: kept in the user's cache.

Asking TRL, peft and transformers whether a recipe fits takes seconds, most of them for importing
torch. An answer is kept under everything that it can depend on: what was asked, the files named
in it, every installed package, our own code, the GPUs that are there, and the environment that
these libraries read. Errors are never kept: whatever does not fit is refused by the library itself,
each time.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from stagelift.evals.files import write_json

# variables of the environment that the libraries read begin so
_READ = (
    *("ACCELERATE", "BITSANDBYTES", "CUDA", "DEEPSPEED", "FSDP", "HF_", "HUGGINGFACE"),
    *("LOCAL_RANK", "MASTER_", "MKL_", "NVIDIA", "OMP_", "PEFT", "PYTORCH", "RANK", "TORCH"),
    *("TRANSFORMERS", "TRL", "USE_", "WORLD_SIZE"),
)
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx"}


def remembered(
    what: str, depends_on: object, find_out: Callable[[], Any], folder: Path | None = None
) -> Any:
    """Return what was found out under the same circumstances before; else find out, and keep it.

    The answer is anything that JSON holds. `depends_on` is all that it depends on beside the
    installation. `folder` is in the user's cache where none is given; what cannot be kept or read
    there, or is not as it was kept, is found out again. So is what depends on a file that cannot be
    read. An error of `find_out` is raised and not kept.
    """
    path = _place(what, depends_on, folder or user_cache_path("stagelift") / "found-out")
    if path is None:
        return find_out()
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["sha256"] == _digest(kept["answer"]):
            return kept["answer"]
    answer = find_out()
    with suppress(OSError, ValueError):
        write_json(path, {"answer": answer, "sha256": _digest(answer)})
    return answer


def model_files(folder: Path) -> dict[str, str]:
    """Hash what a model's folder says of it: every file beside its weights, templates included."""
    files = [*folder.glob("*"), *folder.glob("additional_chat_templates/*")]
    return {
        str(file.relative_to(folder)): _hash(file)
        for file in sorted(files)
        if file.is_file() and file.suffix not in _WEIGHTS
    }


def _place(what: str, depends_on: object, folder: Path) -> Path | None:
    """Return where an answer is kept; None where what it depends on cannot be read or written."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        files = {name: _hash(Path(name)) for name in _files_named(depends_on)}
        known = [what, depends_on, files, _environment(), _installation()]
        return folder / f"{what}-{_digest(known)[:24]}.json"
    return None


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _files_named(value: object) -> Iterator[str]:
    """Yield the strings of a JSON value that name a file, such as a config of DeepSpeed."""
    match value:
        case str():
            with suppress(OSError, ValueError):
                if Path(value).is_file():
                    yield value
        case dict():
            for part in value.values():
                yield from _files_named(part)
        case list() | tuple():
            for part in value:
                yield from _files_named(part)


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@cache
def _environment() -> dict[str, str]:
    """Return what libraries will read, as it is before they are imported: some of them set it."""
    return {name: value for name, value in os.environ.items() if name.startswith(_READ)}


@cache
def _installation() -> list[str]:
    """Return the Python, every installed package with when it came, our own code, and the GPUs.

    A home folder may be shared by machines with and without one.
    """
    packages = [
        f"{entry} {entry.stat().st_mtime_ns}"
        for folder in dict.fromkeys(sys.path)
        for entry in sorted(Path(folder).glob("*.*-info"))
    ]
    ours = Path(__file__).resolve().parents[1]
    code = [
        f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for package in sorted(ours.glob("*/__init__.py"))
        for file in sorted(package.parent.rglob("*.py"))
    ]
    gpus = map(str, sorted(Path("/dev").glob("nvidia[0-9]*")))
    return [sys.version, sys.platform, *gpus, *packages, *code]
