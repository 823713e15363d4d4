"""Families of tests: Holm's adjustment, and the level that it leaves each test.

Holm bounds the chance of any false claim in a family under every dependence between its tests, so
with tests that go together it claims somewhat too little.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from statsmodels.stats.multitest import multipletests

ALPHA = 0.05


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm-adjusted p values (Holm 1979), in the order given."""
    if not p_values:
        return []
    with _garbage_left():
        return [float(p) for p in multipletests(p_values, method="holm")[1]]


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Leave out the collection of garbage that `multipletests` makes at every call.

    On a report's records it took longer than the statistics.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def levels(p_values: Sequence[float]) -> list[float]:
    """Return the level at which each test of a family is decided, given what the others show.

    Of m tests of which r others are rejected by themselves that is ALPHA / (m - r): a test's
    adjusted p is below ALPHA exactly where its p is below its level.
    """
    return [_level([*p_values[:place], *p_values[place + 1 :]]) for place in range(len(p_values))]


def _level(others: Sequence[float]) -> float:
    size = len(others) + 1
    rejected = 0
    for p in sorted(others):
        if p > ALPHA / (size - rejected):
            break
        rejected += 1
    return ALPHA / (size - rejected)
