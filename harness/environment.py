"""What a run ran on: package versions, device, Python. Recorded with every result."""

import platform
from importlib import metadata

_PACKAGES = ("stagelift", "torch", "transformers", "trl", "peft", "datasets", "lm_eval")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose change can change a number."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def device_title() -> str:
    """Name the device as a reader would: the GPU's name, or the CPU with its thread count."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
