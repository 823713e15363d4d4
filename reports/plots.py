"""The plots of a report as inline SVG, drawn with matplotlib."""

from dataclasses import dataclass

from reports.report import Report


@dataclass(frozen=True)
class Plot:
    """One figure: `svg` goes into a page as it is; `alt` says in words what it shows, with the numbers."""

    name: str
    title: str
    alt: str
    svg: str


def plots(report: Report) -> list[Plot]:
    """Draw what the report has data for, in the order of a page."""
    return []
