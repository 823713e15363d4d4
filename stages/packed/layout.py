"""Where the tokens of a padded batch lie in one sequence that holds each of them once.

Rows that begin alike share those tokens: the rows make a tree, and a node of it is a token after
all that came before. A causal model gives a node the same state in every row that goes through it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Numbers = npt.NDArray[np.int64]
# stands where there is padding
_NO_TOKEN = -1


@dataclass(frozen=True)
class Rows:
    """How the attention of each row finds its tokens.

    `nodes` (rows, longest) names the node of every token of a row, from the left; what is behind a
    row's end is node 0. `places` (nodes) says where in `nodes`, flattened, a node stands first.
    """

    nodes: "torch.Tensor"
    places: "torch.Tensor"


@dataclass(frozen=True)
class Layout:
    """One sequence for a padded batch.

    `tokens` and `positions` are (1, nodes); a position is the column that a token has in the
    batch. `states` (rows, columns) names the node of every column; padding is node 0.
    """

    tokens: "torch.Tensor"
    positions: "torch.Tensor"
    rows: Rows
    states: "torch.Tensor"


def layout_of(tokens: "torch.Tensor", mask: "torch.Tensor") -> Layout | None:
    """Lay out a padded batch of tokens (rows, columns); `mask` is 0 where there is padding.

    None where one sequence would be no shorter than all rows together, or nothing is left.
    """
    import torch

    keys = np.where(mask.cpu().numpy() != 0, tokens.cpu().numpy(), _NO_TOKEN)
    states, first_row, first_column = _tree(keys)
    if not 0 < len(first_row) < keys.size:
        return None
    nodes, steps = _from_the_left(states, keys != _NO_TOKEN)
    places = first_row * nodes.shape[1] + steps[first_row, first_column]

    def there(numbers: Numbers) -> "torch.Tensor":
        return torch.from_numpy(numbers).to(tokens.device)

    return Layout(
        tokens=there(keys[first_row, first_column][None]),
        positions=there(first_column[None]),
        rows=Rows(there(nodes), there(places)),
        states=there(states),
    )


def _tree(keys: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return the node of every column, and the row and column in which each node stands first.

    In sorted order rows that begin alike are neighbours, so a row shares with the one before it
    all that it shares with any.
    """
    states = np.zeros_like(keys)
    places: list[Any] = [np.empty((0, 2), dtype=keys.dtype)]
    count, before = 0, None
    for row in sorted(range(len(keys)), key=lambda row: keys[row].tobytes()):
        shared = 0 if before is None else _shared(keys[before], keys[row])
        if before is not None:
            states[row, :shared] = states[before, :shared]
        columns = shared + np.flatnonzero(keys[row, shared:] != _NO_TOKEN)
        states[row, columns] = count + np.arange(len(columns))
        places.append(np.stack([np.full_like(columns, row), columns], axis=1))
        count, before = count + len(columns), row
    first = np.concatenate(places)
    return states, first[:, 0], first[:, 1]


def _shared(one: Numbers, other: Numbers) -> int:
    """Count the columns in which two rows begin alike."""
    different = np.flatnonzero(one != other)
    return int(different[0]) if len(different) else len(one)


def _from_the_left(states: Numbers, seen: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Move the tokens of each row together to the left; return their nodes and where they went."""
    steps = seen.cumsum(axis=1) - 1
    nodes = np.zeros((len(states), int(steps.max()) + 1), dtype=states.dtype)
    rows, columns = np.nonzero(seen)
    nodes[rows, steps[rows, columns]] = states[rows, columns]
    return nodes, steps
