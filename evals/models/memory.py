"""Peak memory of this process: what the GPU allocated, or what the process held resident on CPU."""

import ctypes
import sys
from contextlib import suppress

from stagelift.evals.models.model import Device


def peak_memory(on: Device) -> tuple[int, str]:
    """Return the peak in bytes so far, and of what."""
    if on == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated()), "GPU, allocated"
    return _peak_resident(), "process, resident"


def give_back() -> None:
    """Hand memory that was freed back to the system.

    glibc keeps what threads freed that load weights; other libraries need no telling.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _peak_resident() -> int:
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux kibibytes
    return peak if sys.platform == "darwin" else peak * 1024
