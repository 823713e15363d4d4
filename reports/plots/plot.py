"""One finished figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plot:
    """`svg` goes into a page as it is; `alt` says in words what it shows, with the numbers."""

    name: str
    title: str
    alt: str
    svg: str
