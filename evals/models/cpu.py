"""How fast this CPU multiplies matrices, measured once and kept.

Which precision and which library wins is not to be read off a CPU's flags: a product in bfloat16
was seen at half and at twice the speed of one in float32 on CPUs that both have AVX-512.
"""

import hashlib
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib import metadata
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path
from pydantic import PositiveFloat

from stagelift.evals.files import read_record, write_record
from stagelift.evals.records import Record

if TYPE_CHECKING:
    import torch

Product = Callable[[], object]
# (out, in) of the linear layers of SmolLM2-135M's block that hold nearly all of its weights
_SHAPES = ((576, 576), (576, 576), (1536, 576), (1536, 576), (576, 1536))
# together more than most caches hold, as a model's weights are
_BLOCKS = 4
# a batch of rows at one decoding step
_ROWS = 64
_SECONDS = 0.8
_CPU_INFO = Path("/proc/cpuinfo")
# what is the same for all cores of a model; clock rates, for instance, are not
_TELLING = {
    "vendor_id",
    "cpu family",
    "model",
    "model name",
    "stepping",
    "flags",
    "CPU implementer",
    "CPU part",
    "CPU variant",
    "Features",
}


class Machine(Record):
    """What the speed depends on: the CPU with its features, torch's version, and the threads."""

    cpu: str
    torch: str
    threads: int


class LinearSpeed(Record):
    """Speed of a small model's linear layers at 64 rows, in GFLOP/s.

    `float32` and `bfloat16` are as torch computes them; `_packed` is with weights that oneDNN laid
    out once. None: this build of torch cannot.
    """

    machine: Machine
    float32: PositiveFloat
    float32_packed: PositiveFloat | None
    bfloat16: PositiveFloat
    bfloat16_packed: PositiveFloat | None

    @property
    def best_float32(self) -> float:
        """The faster of the two ways in float32."""
        return max(self.float32, self.float32_packed or 0.0)

    @property
    def best_bfloat16(self) -> float:
        """The faster of the two ways in bfloat16."""
        return max(self.bfloat16, self.bfloat16_packed or 0.0)


@cache
def linear_speed(folder: Path | None = None) -> LinearSpeed:
    """Return what was measured on this machine, measuring it (about a second) where nothing was.

    `folder` is the user's cache where none is given. A damaged record is measured again; where the
    folder cannot be written, so is every process's.
    """
    machine = this_machine()
    digest = hashlib.sha256(machine.model_dump_json().encode()).hexdigest()[:12]
    path = (folder or user_cache_path("stagelift")) / f"linear-speed-{digest}.json"
    kept = _kept(path, machine)
    if kept is not None:
        return kept
    speed = _measured(machine)
    # another process may have measured meanwhile: the first one counts for all
    kept = _kept(path, machine)
    if kept is not None:
        return kept
    with suppress(OSError):
        write_record(path, speed)
    return speed


def _kept(path: Path, machine: Machine) -> LinearSpeed | None:
    """Return what is kept; None where that is nothing, damaged, or of another machine."""
    try:
        kept = read_record(path, LinearSpeed)
    except (OSError, ValueError):
        return None
    return kept if kept.machine == machine else None


def this_machine() -> Machine:
    """Say what the speed depends on, without loading torch."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return Machine(
        cpu=_cpu(),
        torch=metadata.version("torch"),
        threads=int(threads) if threads.isdigit() else _cores(),
    )


def _cpu() -> str:
    """Name the CPU; virtual machines call different ones the same, so features are part of it."""
    if not _CPU_INFO.exists():
        return f"{platform.machine()} {platform.processor()}"
    first, _, _ = _CPU_INFO.read_text(encoding="utf-8").partition("\n\n")
    pairs = [line.partition(":") for line in first.splitlines()]
    said = {key.strip(): value.strip() for key, _, value in pairs if key.strip() in _TELLING}
    name = said.get("model name", platform.machine())
    return f"{name} {hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()[:12]}"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _measured(machine: Machine) -> LinearSpeed:
    import torch

    with torch.inference_mode():
        seconds = _least_seconds(_ways())
    billions = 2e-9 * _ROWS * sum(out * into for out, into in _SHAPES)
    speeds = {name: billions / least for name, least in seconds.items()}
    return LinearSpeed(
        machine=machine,
        float32=speeds["float32"],
        float32_packed=speeds.get("float32_packed"),
        bfloat16=speeds["bfloat16"],
        bfloat16_packed=speeds.get("bfloat16_packed"),
    )


def _ways() -> dict[str, list[Product]]:
    """Return each way's products, block after block."""
    import torch

    # random numbers would move torch's seed
    weights = [torch.full(shape, 0.01) for shape in _SHAPES * _BLOCKS]
    ways: dict[str, list[Product]] = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        rounded = [weight.to(dtype) for weight in weights]
        ways[name] = [_plain(weight) for weight in rounded]
        if can_pack():
            ways[f"{name}_packed"] = [_packed(weight) for weight in rounded]
    return ways


def can_pack() -> bool:
    """Say whether this build of torch has oneDNN's linear layers with packed weights."""
    import torch

    known = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch gives it no type
    operators = ("_reorder_linear_weight", "_linear_pointwise")
    return bool(known and all(hasattr(torch.ops.mkldnn, name) for name in operators))


def _plain(weight: "torch.Tensor") -> Product:
    from torch.nn.functional import linear

    return partial(linear, _rows_for(weight), weight)


def _packed(weight: "torch.Tensor") -> Product:
    import torch

    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
    linear = torch.ops.mkldnn._linear_pointwise
    return partial(linear, _rows_for(weight), laid_out, None, "none", [], "")


def _rows_for(weight: "torch.Tensor") -> "torch.Tensor":
    return weight.new_full((_ROWS, weight.shape[1]), 0.01)


def _least_seconds(ways: dict[str, list[Product]]) -> dict[str, float]:
    """Return the least seconds that one block takes in each way.

    The ways take turns, and each product is timed by itself: most of these are so short that other
    work on the machine does not come between. The first turn warms up.
    """
    least = {name: [inf] * len(_SHAPES) for name in ways}
    for products in ways.values():
        _time_into([inf] * len(_SHAPES), products)
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or inf in least["float32"]:
        for name, products in ways.items():
            _time_into(least[name], products)
    return {name: sum(times) for name, times in least.items()}


def _time_into(least: list[float], products: list[Product]) -> None:
    """Time each product; it lowers the least seconds of its place in a block."""
    for number, product in enumerate(products):
        started = time.perf_counter()
        product()
        place = number % len(least)
        least[place] = min(least[place], time.perf_counter() - started)
