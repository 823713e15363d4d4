"""How plots look: sizes in pixels, and colours that stand for the page's CSS variables.

A page has a light and a dark theme, and a drawing cannot know which: it is drawn in colours that
nobody else uses, and `svg` puts the variables in their place.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# of every plot, so that text has one size on a page
WIDTH = 640
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
# one more than colours, so that pairs repeat late
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
# the page's light theme, for figures that stand on paper
PRINTED = {
    INK: "#1b1e22",
    MUTED: "#575e66",
    GRID: "#e4e4df",
    PAPER: "#ffffff",
    GOOD: "#17683a",
    BAD: "#ad2318",
    **dict(
        zip(
            SERIES,
            ("#0b5aa8", "#b04a08", "#147353", "#8f3d9e", "#7a6100", "#575e66"),
            strict=True,
        )
    ),
}
# the page's dark theme, for pictures that no page gives its colours
DARK = {
    INK: "#e4e7ea",
    MUTED: "#a1aab3",
    GRID: "#2a3037",
    PAPER: "#14171a",
    GOOD: "#6cc795",
    BAD: "#f58f85",
    **dict(
        zip(
            SERIES,
            ("#86b8f7", "#f0a35e", "#63c7a2", "#d7a0e4", "#d8c35a", "#a1aab3"),
            strict=True,
        )
    ),
}


@contextmanager
def file_style() -> Iterator[None]:
    """Write figures that need no font from whoever looks at them: PDF has it inside, in SVG letters
    are outlines.
    """
    import matplotlib

    fonts: dict[Any, Any] = {"svg.fonttype": "path", "pdf.fonttype": 42}
    with plain_style(), matplotlib.rc_context(fonts):
        yield


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever the user's matplotlibrc says.

    Leaves no trace of it behind.
    """
    import matplotlib

    defaults: dict[Any, Any] = {
        name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"
    }
    ours: dict[Any, Any] = {
        # text stays text
        "svg.fonttype": "none",
        "svg.hashsalt": "stagelift",
        # a run may be called $x^2$
        "text.parse_math": False,
        "font.size": TEXT,
        "text.color": INK,
    }
    with matplotlib.rc_context({**defaults, **ours}), warnings.catch_warnings():
        # the page's font draws it, not ours
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
