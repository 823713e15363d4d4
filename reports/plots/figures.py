"""The plots of a report as files for papers and slides: SVG and PDF, in the colours of paper.

Equal to the byte wherever they are drawn. A PDF has its font inside; the letters of an SVG are
outlines.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stagelift.reports.plots import Plot, plots
from stagelift.reports.plots.scoreboard import scoreboard_pictures
from stagelift.reports.plots.style import PRINTED, file_style
from stagelift.reports.report import Report

if TYPE_CHECKING:
    from matplotlib.artist import Artist

# what an artist may be coloured by: matplotlib has a getter and a setter for each
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


@dataclass(frozen=True)
class FigureFile:
    """A file's name, which says what it shows, and its bytes."""

    name: str
    content: bytes


def figure_files(report: Report) -> list[FigureFile]:
    """Draw what the report has data for, each plot as SVG and as PDF."""
    pictures = scoreboard_pictures(report)
    first = [] if pictures is None else [pictures.wide]
    return [file for plot in [*first, *plots(report)] for file in _files(plot)]


def _files(plot: Plot) -> Iterator[FigureFile]:
    name = re.sub(r"[^a-z0-9]+", "-", plot.title.lower()).strip("-")
    with file_style():
        _colour(plot)
        for form, metadata in (
            ("svg", {"Date": None, "Creator": None, "Title": plot.title}),
            ("pdf", {"CreationDate": None, "Creator": None, "Producer": None, "Title": plot.title}),
        ):
            target = io.BytesIO()
            plot.canvas.figure.savefig(target, format=form, transparent=True, metadata=metadata)
            yield FigureFile(f"{name}.{form}", target.getvalue())


def _colour(plot: Plot) -> None:
    """Put the colours of paper in the place of those that stand for a page's variables."""
    # ticks are there once it has been drawn
    plot.canvas.figure.draw_without_rendering()
    for artist in plot.canvas.figure.findobj():
        for name in _COLOURED:
            _recolour(artist, name)


def _recolour(artist: "Artist", name: str) -> None:
    from matplotlib.colors import to_hex, to_rgba, to_rgba_array

    get: Any = getattr(artist, f"get_{name}", None)
    set_: Any = getattr(artist, f"set_{name}", None)
    if get is None or set_ is None:
        return
    colours = to_rgba_array(get())
    printed = [PRINTED.get(to_hex(colour[:3])) for colour in colours]
    if any(printed):
        ink = [
            tuple(colour) if new is None else to_rgba(new, colour[3])
            for colour, new in zip(colours, printed, strict=True)
        ]
        set_(ink if len(ink) > 1 else ink[0])
