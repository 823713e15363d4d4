"""What the stages of a recipe are called: by their kind or, trained elsewhere, by the name given.

The second of a kind has a number.
"""

from collections import Counter
from collections.abc import Sequence


def stage_names(called: Sequence[str]) -> list[str]:
    """Name stages in their order: sft, dpo, sft-2."""
    names, times = [], Counter[str]()
    for name in called:
        times[name] += 1
        names.append(f"{name}-{times[name]}" if times[name] > 1 else name)
    return names
