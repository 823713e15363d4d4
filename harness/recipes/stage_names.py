"""What the stages of a recipe are called: by their kind, the second of a kind with a number."""

from collections.abc import Sequence


def stage_names(kinds: Sequence[str]) -> list[str]:
    """Name stages by kind, in their order: sft, dpo, sft-2."""
    names = []
    for place, kind in enumerate(kinds):
        earlier = kinds[:place].count(kind)
        names.append(f"{kind}-{earlier + 1}" if earlier else kind)
    return names
