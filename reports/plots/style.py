"""How plots look: sizes in pixels, and colours that stand for the page's CSS variables.

A page has a light and a dark theme, and a drawing cannot know which: it is drawn in colours that nobody else uses, and `svg`
puts the variables in their place.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WIDTH = 640  # of every plot, so that text has one size on a page
TEXT, SMALL = 12.0, 11.0

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
GOOD, BAD = "#050505", "#060606"
SERIES = ("#070701", "#070702", "#070703", "#070704", "#070705", "#070706")
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    GOOD: "--good",
    BAD: "--bad",
    **{color: f"--series-{number}" for number, color in enumerate(SERIES, start=1)},
}
MARKERS = ("o", "s", "D", "^", "v", "P", "X")  # one more than colours, so that pairs repeat late


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever the user's matplotlibrc says, and leave no trace of it behind."""
    import matplotlib

    defaults: dict[Any, Any] = {name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"}
    ours: dict[Any, Any] = {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "stagelift",
        "text.parse_math": False,  # a run may be called $x^2$
        "font.size": TEXT,
        "text.color": INK,
    }
    with matplotlib.rc_context({**defaults, **ours}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the page's font draws it, not ours
        yield
