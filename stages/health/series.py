"""The numbers that were logged under one name, and how far their means may differ by chance."""

from math import sqrt

_SHORTEST, _PARTS = 10, 5
# what is no noise at all would make any difference an infinite one
_LEAST = 1e-6


class Series:
    """Numbers in their order, with running sums: means of any window of them cost nothing."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self._sums, self._squares, self._steps = [0.0], [0.0], 0.0

    def add(self, number: float) -> None:
        """Add a number."""
        # sums of squares lose no digits where they are of distances from one of the numbers
        first, last = (self.numbers[0], self.numbers[-1]) if self.numbers else (number, number)
        self.numbers.append(number)
        self._sums.append(self._sums[-1] + number - first)
        self._squares.append(self._squares[-1] + (number - first) ** 2)
        self._steps += (number - last) ** 2

    def window(self) -> int:
        """Say how many numbers are compared with as many: a fifth of all, and at least ten."""
        return max(_SHORTEST, len(self.numbers) // _PARTS)

    def windows(self) -> list[int]:
        """Say where whole windows begin, none overlapping another: from the last one backwards."""
        return list(range(len(self.numbers) - self.window(), -1, -self.window()))

    def mean(self, start: int, count: int) -> float:
        """Return the mean of a window."""
        return self.numbers[0] + (self._sums[start + count] - self._sums[start]) / count

    def variance(self, start: int, count: int) -> float:
        """Return the variance of a window."""
        total = self._sums[start + count] - self._sums[start]
        squares = self._squares[start + count] - self._squares[start]
        return max(0.0, squares - total**2 / count) / (count - 1)

    def error(self, one: int, other: int) -> float:
        """Return the standard error of the difference of two windows' means, by the noise within
        them or from each number to the next, whichever is more.
        """
        count = self.window()
        within = (self.variance(one, count) + self.variance(other, count)) / 2
        between = self._steps / (2 * (len(self.numbers) - 1))
        return max(sqrt(2 * max(within, between) / count), _LEAST)
