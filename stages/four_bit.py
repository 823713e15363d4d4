"""Adapters on weights in 4 bits stay in float32 while they are trained.

TRL rounds them to bfloat16 as it builds a trainer, as the QLoRA paper has it. Then a stage would
not start from what the one before ended with, DPO's frozen copy, which is made before, would not be
its policy, steps smaller than the rounding would be lost, and float16's GradScaler would fail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# what TRL looks at
_FLAG = "is_loaded_in_4bit"


@contextmanager
def adapter_unrounded(policy: Any) -> Iterator[None]:
    """Within this context a trainer is built that takes the weights below an adapter for plain
    ones.
    """
    base = policy.get_base_model()
    if not getattr(base, _FLAG, False):
        yield
        return
    setattr(base, _FLAG, False)
    try:
        yield
    finally:
        setattr(base, _FLAG, True)
