"""What the models of several chains are called in a run."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

Model = TypeVar("Model", bound=Hashable)


def model_names(
    chains: Sequence[Sequence[tuple[str, Model]]],
    labels: Sequence[tuple[str, ...]],
    *,
    lattice: bool = False,
) -> dict[Model, str]:
    """Name every model of chains, which are given as slots with what stands for the model in them.

    A model is called by what the `labels` of the chains through it have in common, and by its slot;
    in a lattice by all slots up to it. Where two would be called the same, they get all the labels
    of the first chain through them.
    """
    labels_through: dict[Model, list[tuple[str, ...]]] = {}
    titles: dict[Model, str] = {}
    for chain, label in zip(chains, labels, strict=True):
        for place, (slot, model) in enumerate(chain):
            labels_through.setdefault(model, []).append(label)
            titles[model] = slot
            if lattice and place > 0:
                titles[model] = "+".join(name for name, _ in chain[1 : place + 1])
    names: dict[Model, str] = {}
    for model, (first, *others) in labels_through.items():
        common = [part for part in first if all(part in label for label in others)]
        name = "/".join(filter(None, [",".join(common), titles[model]]))
        if name in names.values():
            name = f"{','.join(first)}/{titles[model]}"
        names[model] = name
    return names
