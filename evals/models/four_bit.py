"""Weights in 4 bits, as QLoRA trains on them (https://arxiv.org/abs/2305.14314): bitsandbytes' nf4,
its constants quantised, too.

Linear layers are quantised as they are read, but for the one over the vocabulary, and every product
de-quantises its weights again. The same weights give the same 4 bits each time.
"""

import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from stagelift.evals.models import four_bit_product
from stagelift.evals.models.four_bit_product import multiply
from stagelift.evals.remembered import remembered

if TYPE_CHECKING:
    import torch
    from torch import nn

Quantization = Literal["4bit"]
# what this was tested with
OLDEST = (0, 50)
_INSTALL = "pip install --upgrade bitsandbytes"
# numbers that share a constant, and constants that share one
BLOCK, BLOCKS = 64, 256
_PATIENCE_SECONDS = 300


def check_four_bit(device: str) -> None:
    """Raise ValueError in a sentence where weights cannot be had in 4 bits on this machine."""
    try:
        check_version(metadata.version("bitsandbytes"))
    except metadata.PackageNotFoundError:
        raise ValueError(
            "Weights in 4 bits (model.quantization) need the package bitsandbytes, which is not "
            f"installed: {_INSTALL}."
        ) from None

    def find_out() -> None:
        _try(device)

    remembered("four-bit", device, find_out)


def check_version(installed: str) -> None:
    """Raise ValueError in a sentence where a version of bitsandbytes is too old."""
    numbers = tuple(int(part) for part in installed.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST:
        raise ValueError(
            "Weights in 4 bits (model.quantization) need bitsandbytes "
            f"{'.'.join(map(str, OLDEST))} or later, and {installed} is installed: {_INSTALL}."
        )


def is_four_bit(saved: Mapping[str, Any]) -> bool:
    """Say whether the `quantization_config` of a config.json is of bitsandbytes' 4 bits."""
    return bool(saved.get("load_in_4bit") or saved.get("_load_in_4bit"))


def quantising(dtype: "torch.dtype") -> Any:
    """Return how transformers is to quantise weights as it reads them; products are in `dtype`."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def computing_in(model: "nn.Module", dtype: "torch.dtype") -> None:
    """Let a model in 4 bits compute in a dtype, whatever it was saved with.

    On CPUs with bfloat16 bitsandbytes would lay out weights anew at the first product in evaluation
    mode, for a kernel with other roundings and without a gradient: a model that was once evaluated
    would train no more, without a word.
    """
    layers = list(_layers(model))
    for layer in layers:
        layer.compute_dtype = dtype
        layer.compute_type_is_set = True
        layer.support_avx512bf16_for_cpu = False
    in_four_bits = {id(layer.weight) for layer in layers}
    for weight in model.parameters():
        if id(weight) not in in_four_bits:
            weight.data = weight.data.to(dtype)


def in_full(layer: "nn.Module") -> "nn.Linear | None":
    """Return a 4-bit layer as a plain one with the weights that its products are made with; None
    for any other layer.
    """
    from torch import nn

    if not _is_of_bitsandbytes(layer):
        return None
    from bitsandbytes.functional import dequantize_4bit

    given: Any = layer
    weight = dequantize_4bit(given.weight.data, given.weight.quant_state).to(given.compute_dtype)
    rows, columns = weight.shape
    plain = nn.Linear(columns, rows, bias=False, device="meta")
    plain.weight = nn.Parameter(weight, False)
    if given.bias is not None:
        plain.bias = nn.Parameter(given.bias.detach().to(weight.dtype), False)
    plain.training = False
    return plain


def quiet_about_kernel() -> None:
    """Leave out what bitsandbytes says, wherever peft imports it, of a kernel that it misses:
    `computing_in` has no use for it.
    """
    logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_is_of_no_kernel)


def _is_of_no_kernel(said: logging.LogRecord) -> bool:
    return "gemm_4bit_forward" not in said.getMessage()


def bytes_of(numbers: int) -> float:
    """Return what so many numbers take: 4 bits each, a byte a block, 4 bytes for 256 blocks."""
    return numbers * (0.5 + (1 + 4 / BLOCKS) / BLOCK)


def _try(device: str) -> None:
    """Quantise a layer and multiply with it. Raises ValueError in a sentence where that fails."""
    try:
        if device == "cuda":
            _apart(device)
        else:
            multiply(device)
    except Exception as error:
        # bitsandbytes and torch raise many kinds
        said = " ".join(str(error).split()).rstrip(".")[:300]
        raise ValueError(
            "Weights in 4 bits (model.quantization) do not work here: bitsandbytes "
            f"{metadata.version('bitsandbytes')} says, on this machine's {device}, {said!r}. "
            f"Leave model.quantization out, or install a version for this machine: {_INSTALL}."
        ) from error


def _apart(device: str) -> None:
    """Do it in a process of its own, so that this one starts no GPU context."""
    tried = subprocess.run(
        [sys.executable, four_bit_product.__file__, device],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=_PATIENCE_SECONDS,
    )
    if tried.returncode:
        last = tried.stderr.strip().splitlines()[-1:]
        raise RuntimeError(" ".join(last))


def _layers(model: "nn.Module") -> Iterator[Any]:
    return (layer for layer in model.modules() if _is_of_bitsandbytes(layer))


def _is_of_bitsandbytes(layer: "nn.Module") -> bool:
    """Say whether a layer is bitsandbytes' own, by its name: peft calls its adapters so, too."""
    kind = type(layer)
    return kind.__name__ == "Linear4bit" and kind.__module__.startswith("bitsandbytes.")
