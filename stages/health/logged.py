"""What a training has logged so far, value by value: what signs of illness are read off."""

from collections.abc import Mapping
from math import isfinite
from statistics import fmean

from pydantic import JsonValue


class Logged:
    """The numbers that were logged under each name, in their order.

    A number that is not finite is None in a row, for JSON has no such numbers. It is counted apart
    and is no part of a mean.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, list[float]] = {}
        self._not_finite: dict[str, int] = {}
        self._best: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, row: Mapping[str, JsonValue]) -> None:
        """Add what was logged at a step."""
        for name, value in row.items():
            if isinstance(value, int | float) and isfinite(value):
                self._numbers.setdefault(name, []).append(float(value))
                self._not_finite[name] = 0
            elif value is None or isinstance(value, float):
                self._not_finite[name] = self._not_finite.get(name, 0) + 1

    def has(self, name: str) -> bool:
        """Say whether a number was ever logged under this name."""
        return name in self._numbers

    def not_finite_in_a_row(self, name: str) -> int:
        """Count the last values that were no finite numbers, up to the last one that was."""
        return self._not_finite.get(name, 0)

    def last(self, name: str, count: int, before: int = 0) -> list[float]:
        """Return the last `count` numbers but `before`; empty where there are not so many."""
        numbers = self._numbers.get(name, [])
        end = len(numbers) - before
        return numbers[end - count : end] if end >= count else []

    def first(self, name: str, count: int) -> list[float]:
        """Return the first `count` numbers; empty where there are not so many."""
        numbers = self._numbers.get(name, [])
        return numbers[:count] if len(numbers) >= count else []

    def count(self, name: str) -> int:
        """Say how many numbers there are."""
        return len(self._numbers.get(name, []))

    def now_and_at_start(self, name: str, last: int, first: int) -> tuple[float, float] | None:
        """Return the mean of the `last` and of the `first` numbers; None where they overlap."""
        if self.count(name) < last + first:
            return None
        return fmean(self.last(name, last)), fmean(self.first(name, first))

    def best(self, name: str, count: int) -> list[float]:
        """Return the `count` numbers in a row with the highest mean that lie before the last
        `count`; empty where there are none.
        """
        numbers = self._numbers.get(name, [])
        # what was looked at up to now: where the next window begins, and where the best one does
        following, best = self._best.get((name, count), (0, 0))
        while following + 2 * count <= len(numbers):
            if fmean(numbers[following : following + count]) > fmean(numbers[best : best + count]):
                best = following
            following += 1
        self._best[name, count] = (following, best)
        return numbers[best : best + count] if following else []
