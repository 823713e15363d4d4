"""Skip the vocabulary projection of positions that carry no loss, on CPU too.

TRL's fused LM head leaves out prompt and padding positions only on Triton devices, because
elsewhere changing shapes would recompile. PyTorch on CPU does not compile, so the same skipping is
pure gain: the losses are equal (a test says so).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# `_use_triton` is private: in another version it may mean something else
_KNOWN_TRL = "1.16."


@contextmanager
def masked_positions_skipped() -> Iterator[None]:
    """Within this context TRL's fused head scores only the positions that have a label."""
    import trl
    from trl.trainer import utils

    if not trl.__version__.startswith(_KNOWN_TRL):
        yield
        return
    ask_the_device = utils._use_triton
    utils._use_triton = _whatever_the_device
    try:
        yield
    finally:
        utils._use_triton = ask_the_device


def _whatever_the_device(_device: "torch.device") -> bool:
    return True
