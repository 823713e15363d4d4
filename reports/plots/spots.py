"""Where the letters beside points stand: as near as they can, not on each other or on a mark."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

# pixels: how far from its point a letter may stand, nearest first, and a letter's size
DISTANCES = (11.0, 16.0, 22.0, 29.0, 37.0)
_LETTER, _HEIGHT = 8.0, 10.0
# to the right and above is where letters are looked for
_EIGHTHS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8)


@dataclass(frozen=True)
class Box:
    """What is drawn somewhere, in pixels; y points up or down, as whoever draws has it."""

    left: float
    low: float
    right: float
    high: float

    def shared(self, other: "Box") -> float:
        """Return how much of both is in one place."""
        across = min(self.right, other.right) - max(self.left, other.left)
        along = min(self.high, other.high) - max(self.low, other.low)
        return max(0.0, across) * max(0.0, along)


def around(x: float, y: float, size: float) -> Box:
    """Return the square around a point."""
    return Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def free_spots(
    points: Sequence[tuple[float, float]], names: Sequence[str], drawn: Sequence[Box]
) -> list[tuple[float, float]]:
    """Return the middle of each point's name: the nearest place that nothing is drawn at, else the
    one where least is.
    """
    taken, found = list(drawn), []
    for point, name in zip(points, names, strict=True):
        boxes = [_letters(spot, name) for spot in _spots(point)]
        best = min(boxes, key=lambda box: round(sum(map(box.shared, taken)), 3))
        taken.append(best)
        found.append(((best.left + best.right) / 2, (best.low + best.high) / 2))
    return found


def _spots(point: tuple[float, float]) -> Iterator[tuple[float, float]]:
    for distance in DISTANCES:
        for eighth in _EIGHTHS:
            turn = pi / 4 + eighth * pi / 8
            yield point[0] + distance * cos(turn), point[1] + distance * sin(turn)


def _letters(spot: tuple[float, float], name: str) -> Box:
    across = _LETTER * len(name)
    return Box(
        spot[0] - across / 2, spot[1] - _HEIGHT / 2, spot[0] + across / 2, spot[1] + _HEIGHT / 2
    )
