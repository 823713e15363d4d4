"""One finished figure."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagelift.reports.plots.canvas import Canvas


@dataclass(frozen=True)
class Plot:
    """`svg` goes into a page as it is; `alt` says in words what it shows, with the numbers.

    `canvas` is what it was drawn on, for files of their own.
    """

    name: str
    title: str
    alt: str
    svg: str
    canvas: "Canvas" = field(compare=False, repr=False)
