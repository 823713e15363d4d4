"""The picture that a report begins with: accuracy, win rate and length of each model, and what was
added to them.

It is drawn twice: for a wide page, and for a telephone.
"""

from dataclasses import dataclass

from stagelift.reports.numbers.verdicts import Decision
from stagelift.reports.plots.multiples import (
    Block,
    Board,
    Facet,
    Look,
    Point,
    draw_narrow,
    draw_wide,
)
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import plain_style
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report
from stagelift.reports.words.added import Added
from stagelift.reports.words.scoreboard import Forest, Measured, Panel, Scoreboard, scoreboard

TITLE = "Scoreboard"
_LOOKS: dict[Decision, Look] = {
    "improved": "better",
    "regressed": "worse",
    "longer": "moved",
    "shorter": "moved",
    "slower": "moved",
    "faster": "moved",
}


@dataclass(frozen=True)
class Pictures:
    """One picture in two drawings."""

    wide: Plot
    narrow: Plot


def scoreboard_pictures(report: Report) -> Pictures | None:
    """Draw the scoreboard; None where no model has a metric that it shows."""
    found = scoreboard(report)
    if not found.panels:
        return None
    board, alt = _board(found, [run.name for run in report.runs]), _alt(found)
    with plain_style():
        wide = finish(draw_wide(board), "scoreboard", TITLE, alt)
        narrow = finish(draw_narrow(board), "scoreboard-narrow", TITLE, alt)
    return Pictures(wide, narrow)


def _board(found: Scoreboard, runs: list[str]) -> Board:
    forests = {forest.metric: forest for forest in found.forests}
    changes = dict.fromkeys(row.label for forest in found.forests for row in forest.rows)
    return Board(
        names=tuple(row.label for row in found.panels[0].rows),
        changes=tuple(changes),
        facets=tuple(_facet(panel, forests.get(panel.metric), runs) for panel in found.panels),
    )


def _facet(panel: Panel, forest: Forest | None, runs: list[str]) -> Facet:
    values = {row.label: _value(row, runs.index(row.run)) for row in panel.rows}
    is_share = panel.unit == "share"
    shown = Block(
        panel.title,
        f"{panel.reading}, {panel.counted}",
        values,
        span=panel.bounds if is_share else None,
        center=panel.center,
        is_share=is_share,
    )
    if forest is None:
        return Facet(shown, None, panel.note)
    points = {row.label: _added(row) for row in forest.rows}
    added = Block(forest.title, "", points, center=0.0, is_share=is_share, is_change=True)
    return Facet(shown, added, panel.note)


def _value(row: Measured, run: int) -> Point:
    look: Look = "value" if row.verdict is None else _LOOKS.get(row.verdict, "open")
    return Point(row.value, row.low, row.high, row.text, look, run)


def _added(row: Added) -> Point:
    if row.delta is None:
        return Point(None, None, None, row.word)
    look: Look = "plain" if row.verdict is None else _LOOKS.get(row.verdict, "open")
    return Point(row.delta, row.low, row.high, row.text, "open" if row.faint else look)


def _alt(found: Scoreboard) -> str:
    """Say all of the picture's numbers, and their verdicts."""
    panels = [_of_panel(panel) for panel in found.panels]
    return " ".join([*panels, *(_of_forest(forest) for forest in found.forests)])


def _of_panel(panel: Panel) -> str:
    values = [f"{row.label} {row.text} {row.word}".rstrip() for row in panel.rows]
    note = f" ({panel.note})" if panel.note else ""
    title = f"{panel.title[:1].upper()}{panel.title[1:]}"
    return f"{title}, {panel.reading}{note}, {panel.counted}: {', '.join(values)}."


def _of_forest(forest: Forest) -> str:
    rows = [f"{row.label} {row.text} {row.word}".strip() for row in forest.rows]
    title = f"{forest.title[:1].upper()}{forest.title[1:]}"
    return f"{title}, {forest.counted}: {', '.join(rows)}."
