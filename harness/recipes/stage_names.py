"""What the stages of a recipe are called: by their kind or, trained elsewhere, by the name given.

The second of a kind has a number.
"""

from collections.abc import Sequence


def stage_names(called: Sequence[str]) -> list[str]:
    """Name stages in their order: sft, dpo, sft-2."""
    names = []
    for place, name in enumerate(called):
        earlier = called[:place].count(name)
        names.append(f"{name}-{earlier + 1}" if earlier else name)
    return names
