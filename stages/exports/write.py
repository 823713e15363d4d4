"""Writes the model of an export into the folder of its node."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from stagelift.evals.models import gguf
from stagelift.evals.models.memory import peak_memory
from stagelift.evals.models.model import ModelRef
from stagelift.evals.whole import replaced_folder
from stagelift.stages.exports.export import ExportedAs, gguf_file
from stagelift.stages.exports.llama_cpp import convert, find_llama_cpp
from stagelift.stages.exports.merge import save_merged
from stagelift.stages.folders import NodeFolder
from stagelift.stages.records import ExportResult

OnPart = Callable[[str], None]


def write_export(
    model: ModelRef,
    wanted: ExportedAs,
    folder: NodeFolder,
    versions: dict[str, str],
    on_part: OnPart,
) -> ExportResult:
    """Write the model of `model`, whose adapters all are its `merged`, as it is wanted.

    A killed call leaves nothing that counts, and the next one starts over. Raises ValueError in a
    sentence.
    """
    started = time.monotonic()
    for left in folder.path.glob("merged-*.part"):
        shutil.rmtree(left)
    with replaced_folder(folder.exported) as beside:
        if wanted.gguf is None:
            on_part("the merged weights")
            save_merged(model, wanted.dtype, beside)
        else:
            _write_gguf(model, wanted, folder, beside, on_part)
        size = sum(file.stat().st_size for file in beside.iterdir())
    return ExportResult(
        dtype=wanted.dtype,
        gguf=wanted.gguf,
        bytes=size,
        seconds=round(time.monotonic() - started, 1),
        # weights are merged on the CPU
        peak_memory_bytes=peak_memory("cpu")[0],
        converter=None if wanted.gguf is None else _converter(),
        versions=versions,
    )


def _write_gguf(
    model: ModelRef, wanted: ExportedAs, folder: NodeFolder, beside: Path, on_part: OnPart
) -> None:
    """Make a GGUF file of the merged weights, which go again; what lies beside them stays."""
    assert wanted.gguf is not None, "a GGUF file is wanted"
    on_part("the merged weights")
    with _scratch(folder) as merged:
        save_merged(model, wanted.dtype, merged)
        on_part("the GGUF file")
        made = merged / gguf_file(wanted.gguf)
        convert(merged, made, wanted.gguf, wanted.dtype)
        _check_readable(made)
        for weights in (*merged.glob("*.safetensors"), *merged.glob("*.index.json")):
            weights.unlink()
        shutil.copytree(merged, beside, dirs_exist_ok=True)


@contextmanager
def _scratch(folder: NodeFolder) -> Iterator[Path]:
    """Give a folder that goes in the end.

    It has a name of its own, where nothing writes that a killed call may have left running.
    """
    merged = folder.path / f"merged-{uuid4().hex[:8]}.part"
    merged.mkdir()
    try:
        yield merged
    finally:
        shutil.rmtree(merged)


def _check_readable(file: Path) -> None:
    """Raise ValueError where llama.cpp ended well and left no whole file."""
    if not file.is_file():
        raise ValueError("llama.cpp ended without an error, but left no GGUF file.")
    gguf.read_header(file)


def _converter() -> str:
    """Name the converter by its script's hash: it has no version of its own."""
    script = find_llama_cpp([]).converter
    return f"{script.name}, sha256 {hashlib.sha256(script.read_bytes()).hexdigest()[:16]}"
