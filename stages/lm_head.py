"""Skip the vocabulary projection of positions that carry no loss, on CPU too.

TRL's fused LM head leaves out prompt and padding positions only on Triton devices, because
elsewhere changing shapes would recompile. PyTorch on CPU does not compile, so the same skipping is
pure gain: the losses are equal (a test says so).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

# `_use_triton` is private: elsewhere it may mean something else
_KNOWN_TRL = "1.16."


@contextmanager
def masked_positions_skipped() -> Iterator[None]:
    """Within this context TRL's fused head scores only the positions that have a label."""
    import trl
    import trl.trainer.utils

    if not trl.__version__.startswith(_KNOWN_TRL):
        yield
        return
    with patch.object(trl.trainer.utils, "_use_triton", lambda _device: True):
        yield
