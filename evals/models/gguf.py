"""GGUF files: what their header says, and the de-quantised copy of one in the user's cache.

The header is read here, within the bounds of the file, so that a damaged or truncated one is known
before anything is loaded. The layout is that of llama.cpp's gguf.md, version 2 and 3: magic,
version, counts, typed key-value pairs, then name, shape, type and offset of every tensor.
"""

import hashlib
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from platformdirs import user_cache_path

from stagelift.evals.models import pretrained

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# of values by their type's number; 8 is text, 9 an array
_SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_ALIGNMENT = 32
_MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class Header:
    """What the header of a GGUF file says of the model in it."""

    architecture: str
    chat_template: str | None


def is_gguf(path: str) -> bool:
    """Say whether a path is a GGUF file, by its name or by how it begins."""
    file = Path(path)
    if not file.is_file():
        return False
    if file.suffix == ".gguf":
        return True
    with file.open("rb") as content:
        return content.read(len(_MAGIC)) == _MAGIC


def read_header(path: Path) -> Header:
    """Read a header, and whether the file is as long as it says.

    Raises ValueError in a sentence where it is no GGUF file, damaged or cut off.
    """
    with path.open("rb") as content:
        if content.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"'{path}' is no GGUF file: it does not begin with GGUF.")
        try:
            header, needed = _Reading(content, path.stat().st_size).header()
        except (ValueError, struct.error, OverflowError) as error:
            raise ValueError(
                f"GGUF file '{path}' is damaged or cut off: {error}. Download or convert it again."
            ) from error
    size = path.stat().st_size
    if size < needed:
        raise ValueError(
            f"GGUF file '{path}' is cut off: its tensors end at byte {needed:,}, and it has "
            f"{size:,}. Download it again."
        )
    return header


def file_hash(path: Path) -> str:
    """Hash a file; one that did not change meanwhile is read once."""
    state = path.stat()
    return _hash(path.resolve(), state.st_size, state.st_mtime_ns)


def dequantised_folder(path: Path) -> Path:
    """Return the folder of the de-quantised copy in the user's cache, making it on first use.

    Raises ValueError in a sentence where the file cannot be read.
    """
    folder = _folder(path)
    if not folder.exists():
        read_header(path)
        dequantise(path, folder)
    return folder


def is_prepared(path: Path) -> bool:
    """Say whether the de-quantised copy is in the cache already."""
    return _folder(path).exists()


def dequantise(path: Path, folder: Path) -> None:
    """Write model and tokenizer (chat template included) as an ordinary Hugging Face folder.

    The folder appears whole, in one rename.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        whole = Path(scratch, "model")
        for part in pretrained.dequantised(path):
            part.save_pretrained(whole)
        if not folder.exists():
            whole.rename(folder)


def _folder(path: Path) -> Path:
    return user_cache_path("stagelift") / f"gguf-{file_hash(path)[:16]}"


@cache
def _hash(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _whole(said: dict[str, Any], key: str, default: int) -> int:
    """Read a count, of which nothing and 0 say the default."""
    value = said.get(key) or default
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"its {key} is {value!r:.40}, which is no count")
    return value


class _Reading:
    """A header that is read from its beginning on, never beyond the end of the file."""

    def __init__(self, content: BinaryIO, size: int) -> None:
        self.content, self.size = content, size

    def header(self) -> tuple[Header, int]:
        """Return the header, and how long the file has to be."""
        version = self._number("I")
        if version not in _VERSIONS:
            raise ValueError(f"it is of version {version}, and 2 and 3 can be read")
        tensors, pairs = self._number("Q"), self._number("Q")
        said = dict(self._pairs(pairs))
        ends = [self._tensor_end() for _ in range(self._count(tensors, 1))]
        alignment = _whole(said, "general.alignment", _ALIGNMENT)
        start = -(-self.content.tell() // alignment) * alignment
        if not isinstance(said.get("general.architecture"), str):
            raise ValueError("it does not say its architecture")
        if _whole(said, "split.count", 1) > 1:
            raise ValueError("it is one of several parts (join them with gguf-split --merge)")
        template = said.get("tokenizer.chat_template")
        header = Header(said["general.architecture"], None if template is None else str(template))
        return header, start + max(ends, default=0)

    def _pairs(self, count: int) -> Iterator[tuple[str, Any]]:
        for _ in range(self._count(count, 1)):
            yield self._text(), self._value(self._number("I"))

    def _value(self, kind: int) -> Any:
        """Return a scalar or text; an array is passed over."""
        if kind == _TEXT:
            return self._text()
        if kind == _ARRAY:
            return self._pass_over_array()
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        raise ValueError(f"a value has the type {kind}, which there is not")

    def _pass_over_array(self) -> None:
        kind = self._number("I")
        count = self._number("Q")
        if kind == _TEXT:
            for _ in range(self._count(count, 8)):
                self._bytes(self._number("Q"))
        elif kind in _SCALARS:
            self._bytes(count * struct.calcsize(_SCALARS[kind]))
        else:
            raise ValueError(f"an array has the type {kind}, which there is not")

    def _tensor_end(self) -> int:
        """Return where a tensor ends, counted from where the first begins."""
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        self._text()
        dimensions = self._number("I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"a tensor has {dimensions} dimensions")
        elements = prod(self._number("Q") for _ in range(dimensions))
        kind, offset = self._number("I"), self._number("Q")
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        return int(offset + elements // block * size)

    def _text(self) -> str:
        return self._bytes(self._number("Q")).decode(errors="replace")

    def _number(self, letter: str) -> Any:
        (number,) = struct.unpack(f"<{letter}", self._bytes(struct.calcsize(f"<{letter}")))
        return number

    def _count(self, count: int, least: int) -> int:
        """Refuse more of something than fit into the file, each of at least so many bytes."""
        if count * least > self.size:
            raise ValueError(f"it says that {count:,} of something follow, which would not fit")
        return count

    def _bytes(self, count: int) -> bytes:
        if count > self.size - self.content.tell():
            raise ValueError(f"it ends at byte {self.size:,}, within its header")
        return self.content.read(count)
