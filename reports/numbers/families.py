"""Families of tests in a report: equal tests count once, and Holm's adjustment says what is left of
each.

The headline family is what each stage added to the one before, in the few metrics that a report is
read for (`headline`); all other comparisons are a family of their own, and so are variants, the
checkpoints that a stage was selected among, and runs against one another. What stages are deployed
as has two of its own: the same few metrics, and everything else. Each is adjusted by itself, so
that what else a report shows takes no power from its headline.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stagelift.evals.stats import families

Family = Literal[
    "headline", "other", "variants", "checkpoints", "runs", "exports", "other of exports"
]
# families of everything else, which are marked
BESIDE_THE_MAIN = ("other", "other of exports")
# the digest of the values behind a test
Test = str


@dataclass(frozen=True)
class Decided:
    """What a family of so many `tests` makes of one: its adjusted p, and the level that its own p
    must be below.
    """

    family: Family
    tests: int
    p_adjusted: float
    level: float


def equal_test(differences: Mapping[str, float], bound: float, *beside: Sequence[float]) -> Test:
    """Name the test of paired differences by unit, so that equal tests have one name.

    They are equal where they have the same units, and the same values in parts of the `bound`: a
    win rate that only says which answer is right is accuracy at half the size. The sign does not
    matter to a two-sided test. What else decides a test (lengths) stands `beside` the values, in
    the order of the units' names.
    """
    units = sorted(differences)
    values = np.array([differences[unit] for unit in units]) / bound
    moved = values[values != 0]
    if not beside and moved.size and moved[0] < 0:
        values = -values
    # the last digits hang on how a mean was taken; minus zero is zero
    written = [np.round(np.asarray(column, dtype=float), 12) + 0.0 for column in (values, *beside)]
    digest = hashlib.sha256("\0".join(units).encode(errors="surrogatepass"))
    for column in written:
        digest.update(column.tobytes())
    return digest.hexdigest()


def adjust(family: Family, tests: Mapping[Test, float]) -> dict[Test, Decided]:
    """Return what Holm's adjustment makes of the tests of a family, given by their p values."""
    p_values = list(tests.values())
    adjusted = zip(families.holm(p_values), families.levels(p_values), strict=True)
    return {
        test: Decided(family, len(tests), p, level)
        for test, (p, level) in zip(tests, adjusted, strict=True)
    }
