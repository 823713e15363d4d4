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
# the page's light and dark theme, for figures on paper and pictures that no page gives its colours
_THEMES = {
    INK: ("#1b1e22", "#e4e7ea"),
    MUTED: ("#575e66", "#a1aab3"),
    GRID: ("#e4e4df", "#2a3037"),
    PAPER: ("#ffffff", "#14171a"),
    GOOD: ("#17683a", "#6cc795"),
    BAD: ("#ad2318", "#f58f85"),
    SERIES[0]: ("#0b5aa8", "#86b8f7"),
    SERIES[1]: ("#b04a08", "#f0a35e"),
    SERIES[2]: ("#147353", "#63c7a2"),
    SERIES[3]: ("#8f3d9e", "#d7a0e4"),
    SERIES[4]: ("#7a6100", "#d8c35a"),
    SERIES[5]: ("#575e66", "#a1aab3"),
}
PRINTED = {color: light for color, (light, _) in _THEMES.items()}
DARK = {color: dark for color, (_, dark) in _THEMES.items()}


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
