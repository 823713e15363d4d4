"""What a self-test found, as text and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from stagelift.evals.printed import one_line
from stagelift.evals.stats.two_levels import MOST_SEEDS
from stagelift.reports.gates.self_test import Power
from stagelift.reports.words import formatting

_COLUMNS = ("metric", "fall", "problems that change", "caught", "let through", "n for 80%")
_ASSUMED = (
    "How many problems change was not seen: it is assumed that half of them get a value like "
    "another problem's. With --baseline it is what was seen."
)


def render_terminal(powers: Sequence[Power]) -> str:
    """Return a line a metric in columns, and a sentence for each below."""
    rows = [_COLUMNS, *map(_cells, powers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    notes = [] if all(power.is_seen for power in powers) else [_ASSUMED]
    sentences = [one_line(_sentence(power)) for power in powers]
    first = f"Self-test: {powers[0].draws if powers else 0} falls by each margin were drawn."
    if any(power.seeds for power in powers):
        first = "Self-test of recipes: the power follows from what seeds and problems did."
    return "\n".join([first, "", *lines, "", *sentences, *notes]) + "\n"


def render_json(powers: Sequence[Power]) -> str:
    """Return the same as JSON; falls in the metric's own unit."""
    found = [{**asdict(power), "is_enough": power.is_enough} for power in powers]
    text = json.dumps({"self_test": found}, indent=2)
    return text.replace("##", "\\u0023\\u0023") + "\n"


def _cells(power: Power) -> tuple[str, ...]:
    how = "seen" if power.is_seen else "assumed"
    return (
        one_line(f"{power.metric}, n={power.n}{_seeds(power)}"),
        formatting.size(power.metric, power.margin),
        f"{power.changed:.1%} ({how})",
        f"{power.caught:.0%}",
        f"{power.let_through:.0%}",
        "-" if power.needed is None else f"{power.needed:,}",
    )


def _sentence(power: Power) -> str:
    fall = formatting.size(power.metric, power.margin)
    said = f"{power.metric}: a fall by {fall} would be caught in {power.caught:.0%} of checks"
    if power.seeds is not None and not power.is_enough:
        return f"{said}; {_needed_seeds(power)}."
    if power.is_enough or power.needed is None:
        return f"{said}."
    return f"{said}; about {power.needed:,} problems would catch it in 80%."


def _seeds(power: Power) -> str:
    return "" if power.seeds is None else ", seeds {} and {}".format(*power.seeds)


def _needed_seeds(power: Power) -> str:
    if power.needed_seeds is None:
        return f"{MOST_SEEDS} seeds a side would not catch it in 80%"
    return f"about {power.needed_seeds} seeds a side would catch it in 80%"
