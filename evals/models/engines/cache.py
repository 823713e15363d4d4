"""Keys and values of the rows an engine works on, written in place.

A row lies in a slot, left-aligned, and has a length of its own. One that is done leaves its slot to
another. So nothing is padded to the longest row for good, and nothing is copied per token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# slots grow by so many tokens, or by this part of them, when the longest row comes to their end
_BLOCK = 32
_GROWTH = 1 / 8


@dataclass(frozen=True)
class Place:
    """Which slots a forward pass is for, and where in them its new tokens begin.

    The slots are `first` up to `first + rows`. `starts` is one position for all of them, or a
    tensor (rows) with one for each. They are read up to `until`.
    """

    first: int
    rows: int
    starts: int | torch.Tensor
    until: int


@dataclass
class _Now:
    """What the forward pass is for that comes next.

    Layers know this and not their cache: no circle keeps keys and values alive when they are done.
    """

    place: Place


class SlotCache(Cache):  # type: ignore[misc]  # transformers has no type information
    """A transformers cache of `slots` rows; `turn_to` says what the next forward pass is for.

    One more slot, `spare`, holds what is copied into others.
    """

    def __init__(self, config: "PreTrainedConfig", slots: int) -> None:
        self.spare = slots
        self.now = _Now(Place(0, 0, 0, 0))
        layers = DynamicCache(config=config).layers
        super().__init__(layers=[_Layer(self.now, slots + 1) for _ in layers])

    def turn_to(self, place: Place) -> None:
        """Say what the next forward pass is for."""
        self.now.place = place

    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        """Copy the first `length` tokens of slots into other slots."""
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            layer.copy(list(sources), list(targets), length)


def sight(config: "PreTrainedConfig") -> float | None:
    """Return how far back every layer of a model sees, in tokens: the smallest sliding window.

    It is read off the cache that transformers would make. None where a layer keeps something else
    than keys and values of tokens.
    """
    layers = DynamicCache(config=config).layers
    if not {type(layer) for layer in layers} <= {DynamicLayer, DynamicSlidingWindowLayer}:
        return None
    return min((getattr(layer, "sliding_window", inf) for layer in layers), default=None)


class _Layer(CacheLayerMixin):  # type: ignore[misc]  # as above
    """One layer's slots: (slots, heads, tokens, size of a head)."""

    is_sliding = False
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, now: _Now, slots: int) -> None:
        super().__init__()
        self.now = now
        self.slots = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make slots without any room yet."""
        self.keys = _slots(key_states, self.slots)
        self.values = _slots(value_states, self.slots)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new tokens (rows, heads, new, size) into their place; return all of these rows."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        place = self.now.place
        if place.until > self.keys.shape[2]:
            wanted = max(place.until, int(self.keys.shape[2] * (1 + _GROWTH)))
            room = -(-wanted // _BLOCK) * _BLOCK
            self.keys, self.values = _grown(self.keys, room), _grown(self.values, room)
        return _written(self.keys, key_states, place), _written(self.values, value_states, place)

    def copy(self, sources: list[int], targets: list[int], length: int) -> None:
        """Copy beginnings of slots."""
        for buffer in (self.keys, self.values):
            buffer[targets, :, :length] = buffer[sources, :, :length]

    def get_seq_length(self) -> int:
        """Return where new tokens begin: transformers makes its masks with it."""
        starts = self.now.place.starts
        return starts if isinstance(starts, int) else self.now.place.until - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many tokens are read, and from where."""
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        """There is none."""
        return -1


def _slots(states: torch.Tensor, slots: int) -> torch.Tensor:
    return states.new_zeros((slots, states.shape[1], 0, states.shape[3]))


def _grown(buffer: torch.Tensor, room: int) -> torch.Tensor:
    """Add zeros, not garbage: what is masked is multiplied by zero, and must be a number."""
    slots, heads, length, size = buffer.shape
    grown = buffer.new_zeros((slots, heads, room, size))
    grown[:, :, :length] = buffer
    return grown


def _written(buffer: torch.Tensor, states: torch.Tensor, place: Place) -> torch.Tensor:
    rows = buffer[place.first : place.first + place.rows]
    if isinstance(place.starts, int):
        rows[:, :, place.starts : place.starts + states.shape[2]] = states
    else:
        each = torch.arange(place.rows, device=states.device)
        rows[each, :, place.starts] = states[:, :, 0]
    return rows[:, :, : place.until]
