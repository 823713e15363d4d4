"""What a training has logged so far, value by value: what signs of illness are read off."""

from collections.abc import Mapping
from math import isfinite
from statistics import fmean

from pydantic import JsonValue

from stagelift.stages.health.series import Series


class Logged:
    """The numbers that were logged under each name, in their order.

    A number that is not finite is None in a row, for JSON has no such numbers. It is counted apart
    and is no part of a mean.
    """

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self._not_finite: dict[str, int] = {}

    def add(self, row: Mapping[str, JsonValue]) -> None:
        """Add what was logged at a step."""
        for name, value in row.items():
            if isinstance(value, int | float) and isfinite(value):
                self._series.setdefault(name, Series()).add(float(value))
                self._not_finite[name] = 0
            elif value is None or isinstance(value, float):
                self._not_finite[name] = self._not_finite.get(name, 0) + 1

    def series(self, name: str) -> Series:
        """Return the numbers that were logged under this name."""
        return self._series.get(name) or Series()

    def has(self, name: str) -> bool:
        """Say whether a number was ever logged under this name."""
        return name in self._series

    def not_finite_in_a_row(self, name: str) -> int:
        """Count the last values that were no finite numbers, up to the last one that was."""
        return self._not_finite.get(name, 0)

    def last(self, name: str, count: int, before: int = 0) -> list[float]:
        """Return the last `count` numbers but `before`; empty where there are not so many."""
        numbers = self.series(name).numbers
        end = len(numbers) - before
        return numbers[end - count : end] if end >= count else []

    def first(self, name: str, count: int) -> list[float]:
        """Return the first `count` numbers; empty where there are not so many."""
        numbers = self.series(name).numbers
        return numbers[:count] if len(numbers) >= count else []

    def count(self, name: str) -> int:
        """Say how many numbers there are."""
        return len(self.series(name).numbers)

    def now_and_at_start(self, name: str, last: int, first: int) -> tuple[float, float] | None:
        """Return the mean of the `last` and of the `first` numbers; None where they overlap."""
        if self.count(name) < last + first:
            return None
        return fmean(self.last(name, last)), fmean(self.first(name, first))
