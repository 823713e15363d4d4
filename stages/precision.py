"""Device and precision.

bfloat16 is taken where the hardware multiplies matrices in it, else float16 on GPUs and float32 on
CPUs.

A T4 says it supports bfloat16 but emulates it, slowly; hence `including_emulation=False`. What a
CPU does is measured: flags do not tell.
"""

import ctypes
import sys
from functools import cache
from importlib import metadata
from typing import Any, Literal

from stagelift.evals.models.cpu import LinearSpeed, linear_speed
from stagelift.evals.models.model import Device, Dtype

DtypeSetting = Literal["auto", "float32", "bfloat16", "float16"]
# how much faster than float32 a CPU's products in bfloat16 must be. They are about two thirds of a
# step, so this makes it a quarter shorter; for less, 16 bits of rounding are no good exchange.
# The ratio was measured to 4%, on a busy machine, too: a CPU seldom lies where it could fall either
# way.
CLEARLY_FASTER = 1.5


@cache
def device() -> Device:
    """Return `cuda` where a GPU is visible, else `cpu`."""
    if not _could_have_gpu():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _could_have_gpu() -> bool:
    """Say, without loading torch, whether it is built for a GPU and finds a driver.

    torch takes seconds to import, and is asked where this leaves any doubt.
    """
    build = metadata.version("torch").partition("+")[2]
    if build == "cpu":
        return False
    if build.startswith("rocm"):
        return True
    try:
        # the name under which torch looks for it, too
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def gpu_has_bfloat16() -> bool:
    """Say whether the GPU multiplies matrices in bfloat16 itself, rather than by emulation."""
    import torch

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def dtype(setting: DtypeSetting) -> Dtype:
    """Resolve `auto` for this machine; anything else is taken as asked, and nothing is measured."""
    if setting != "auto":
        return setting
    if device() == "cuda":
        return "bfloat16" if gpu_has_bfloat16() else "float16"
    return dtype_of_cpu(linear_speed())


def dtype_of_cpu(speed: LinearSpeed) -> Dtype:
    """Choose a CPU's dtype by what was measured: the best way in each is what counts."""
    clearly = speed.best_bfloat16 >= CLEARLY_FASTER * speed.best_float32
    return "bfloat16" if clearly else "float32"


def resolved(setting: DtypeSetting) -> tuple[Device, Dtype]:
    """Return the device of this machine and the dtype that a setting results in on it."""
    return device(), dtype(setting)


def training_flags(on: Device, precision: Dtype) -> dict[str, Any]:
    """Return the TRL arguments that go with a device and precision.

    On CPU there is no mixed precision: the weights' dtype is the precision. Activation
    checkpointing is TRL's default, kept where memory is scarce (GPU) and dropped where time is
    (CPU).
    """
    if on == "cpu":
        return {"use_cpu": True, "bf16": False, "fp16": False, "activation_checkpointing": False}
    return {
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "activation_checkpointing": True,
    }
