"""What a path or a Hub name that a user gives is: full weights, an adapter, or a GGUF file.

Only names of files, their beginnings and their settings are looked at. What cannot be used is said
in one sentence, with what was seen there and what would work.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import is_zipfile

from stagelift.evals.data.source import one_sentence
from stagelift.evals.models import adapters, bundled, gguf
from stagelift.evals.models.pickled import code_in
from stagelift.evals.places import in_full
from stagelift.evals.strict_json import parse_json, read_json

What = Literal["model", "adapter", "gguf"]
# what transformers looks for, in this order
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_CONFIG = "config.json"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_LARGEST_JSON = 100_000_000
_SHOWN = 4


@dataclass(frozen=True)
class Given:
    """What was recognised, and where it lies: a folder or file here, or a Hub name."""

    what: What
    path: str


def recognise(path: str, revision: str | None = None) -> Given:
    """Say what a path or a Hub name is. Raises ValueError in a sentence."""
    if path == bundled.NAME:
        return Given("model", path)
    if gguf.is_gguf(path):
        return Given("gguf", path)
    place = Path(path)
    if place.is_dir():
        return Given(_of_folder(place, path), path)
    if place.is_file():
        raise ValueError(
            f"'{path}' is a file, and no GGUF file. A model is a folder, a .gguf file or a Hub "
            "name; files of responses are for `stagelift import`."
        )
    check_hub_name(path)
    return Given(_of_hub_name(path, revision), path)


def check_hub_name(path: str) -> None:
    """Raise ValueError in a sentence where what is not here cannot be on the Hub either."""
    if path.startswith((".", "/", "~", "bundled/")) or not _HUB_NAME.fullmatch(path):
        raise ValueError(
            f"Model {in_full(path)} does not exist. Give a folder, a .gguf file, a Hub name or "
            f"{bundled.NAME}."
        )


def cannot_read(path: str, error: Exception) -> str:
    """Say that a model cannot be read: a name without a folder here is looked for on the Hub, which
    need not be what was meant.
    """
    why = one_sentence(error)
    if not Path(path).exists():
        why = f"there is no folder of this name in {Path.cwd()}, and from the Hub: {why}"
    return f"Cannot read a model at '{path}': {why}"


def check_weights(folder: Path) -> None:
    """Raise ValueError in a sentence where a folder has no full weights, or broken ones."""
    if adapters.is_adapter(folder):
        raise ValueError(_both(folder) if _has_weights(folder) else _adapter_as_model(folder))
    if not _has_weights(folder):
        raise ValueError(
            f"Cannot read a model at '{folder}': there are no weights (*.safetensors) in it, but "
            f"{_seen(folder)}."
        )
    for file in _weight_files(folder):
        _check_whole(file)


def check_adapter(folder: Path) -> dict[str, Any]:
    """Return an adapter's settings. Raises ValueError in a sentence where it cannot be put on a
    model.
    """
    if not adapters.is_adapter(folder):
        raise ValueError(
            f"'{folder}' is no LoRA adapter: it has no {adapters.CONFIG}, but {_seen(folder)}. "
            "Give the folder that peft's save_pretrained wrote, or name full weights with `model`."
        )
    weights = [folder / name for name in _ADAPTER_WEIGHTS if (folder / name).is_file()]
    if not weights:
        raise ValueError(
            f"The adapter at '{folder}' has no weights: neither "
            f"{' nor '.join(_ADAPTER_WEIGHTS)} is there."
        )
    _check_whole(weights[0])
    return adapters.settings_of(folder)


def tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the tensors of a safetensors file, off its header.

    Raises ValueError in a sentence where it is damaged or cut off.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as content:
            (length,) = struct.unpack("<Q", content.read(8))
            if length > min(size, _LARGEST_JSON):
                raise ValueError("its header is longer than the file")
            header = parse_json(content.read(length).decode(), "its header")
        tensors = {name: header[name] for name in header if name != "__metadata__"}
        end = max((int(tensor["data_offsets"][1]) for tensor in tensors.values()), default=0)
        shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in tensors.items()}
    except (struct.error, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"'{file}' is damaged: {error}. Save or download it again.") from error
    if 8 + length + end > size:
        raise ValueError(
            f"'{file}' is cut off: its tensors end at byte {8 + length + end:,}, and it has "
            f"{size:,}. Save or download it again."
        )
    return shapes


def _of_folder(folder: Path, written: str) -> What:
    if adapters.is_adapter(folder):
        if _has_weights(folder):
            raise ValueError(_both(folder))
        return "adapter"
    if (folder / _CONFIG).is_file():
        return "model"
    files = sorted(folder.glob("*.gguf"))
    if files:
        raise ValueError(
            f"Cannot read a model at '{written}': it has GGUF files. Name one, such as "
            f"'{files[0]}'."
        )
    saved = sorted(folder.glob("checkpoint-*"))
    if saved:
        raise ValueError(
            f"Cannot read a model at '{written}': it has a trainer's checkpoints. Name one of "
            f"them, such as '{saved[-1]}', or let the best be selected: --checkpoints {written}."
        )
    raise ValueError(
        f"Cannot read a model at '{written}': it is neither full weights (there is no {_CONFIG}) "
        f"nor an adapter (no {adapters.CONFIG}). There is {_seen(folder)}."
    )


def _of_hub_name(name: str, revision: str | None) -> What:
    """Ask the Hub, or its cache here, which settings a repository has."""
    from huggingface_hub import hf_hub_download

    files: dict[str, What] = {_CONFIG: "model", adapters.CONFIG: "adapter"}
    for file, what in files.items():
        # what is wrong with it is said where it is read
        with suppress(Exception):
            hf_hub_download(name, file, revision=revision)
            return what
    return "model"


def _both(folder: Path) -> str:
    return (
        f"'{folder}' has full weights and an adapter: transformers would put one on the other. "
        f"Move the adapter ({adapters.CONFIG}, {_ADAPTER_WEIGHTS[0]}) into a folder of its own."
    )


def _adapter_as_model(folder: Path) -> str:
    return (
        f"'{folder}' is an adapter, not full weights: name it with `adapter`, after the model that "
        "it lies on."
    )


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _WEIGHTS)


def _weight_files(folder: Path) -> Iterator[Path]:
    """Yield the files of the first kind of weights that is there.

    Raises ValueError where one that an index names is missing.
    """
    first = next(folder / name for name in _WEIGHTS if (folder / name).is_file())
    if first.suffix != ".json":
        yield first
        return
    try:
        named = sorted({str(file) for file in read_json(first, nan=True)["weight_map"].values()})
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"'{first}' cannot be read: {error}.") from error
    for name in named:
        file = folder / name
        if not file.is_file():
            raise ValueError(f"Weights are missing at '{folder}': {first.name} names '{name}'.")
        yield file


def _check_whole(file: Path) -> None:
    if file.suffix == ".safetensors":
        tensor_shapes(file)
    elif file.stat().st_size == 0:
        raise ValueError(f"'{file}' is empty. Save or download it again.")
    elif not is_zipfile(file):
        raise ValueError(
            f"'{file}' is no archive of torch's: it is damaged, or of torch before 1.6, a pickle "
            "that is not read here. Save the weights as safetensors, or download them again."
        )
    elif (called := code_in(file)) is not None:
        raise ValueError(
            f"'{file}' holds more than weights: as it is read it would call {called}, which is "
            "never done here. Take the weights as safetensors, from somebody you trust."
        )


def _seen(folder: Path) -> str:
    """Name a few of the files that a folder has."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not names:
        return "nothing" if folder.is_dir() else "no such folder"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
