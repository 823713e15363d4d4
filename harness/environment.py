"""What a run ran on: package versions, device, Python. Recorded with every result."""

import os
import platform
from importlib import metadata

from stagelift.evals.models.cpu import this_machine
from stagelift.evals.remembered import remembered
from stagelift.stages import precision

_PACKAGES = (
    *("stagelift", "torch", "transformers", "trl", "peft", "datasets", "lm_eval"),
    "math_verify",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose change can change a number."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def device_title() -> str:
    """Name the device as a reader would: the GPU's name, or the CPU with its thread count."""
    if precision.device() == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch_threads()} threads)"


def torch_threads() -> int:
    """Return how many threads torch computes with on this CPU."""
    machine = this_machine().model_dump()
    return int(remembered("threads", [machine, os.cpu_count()], _torch_threads))


def _torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
