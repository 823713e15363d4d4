"""The table of headline metrics: a line for each model, a column for each metric that the report is
read for, and in each cell the value with how it differs from the one model that the line names.

That is the model before, of variants the reference. A win rate is a difference already: in its cell
stands whether it is above one half.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.headline import headline_metrics
from stagelift.reports.numbers.verdicts import Decision
from stagelift.reports.report import Report
from stagelift.reports.tables.table import HALF, NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import formatting
from stagelift.reports.words.added import added, variant_model
from stagelift.reports.words.scoreboard import (
    HALF_IN_WORDS,
    Model,
    absent,
    labelled,
    models,
    scoreboard,
)

# a model's run and name
_Place = tuple[str, str]
# the run and name of what it is compared with, the run "" where it is the same
_Other = tuple[str, str]


@dataclass(frozen=True)
class _Said:
    """What is said of a model in a metric beside its value."""

    words: str
    verdict: Decision | None
    faint: bool = False


def model_table(report: Report) -> Table:
    """Return the table, with the models in the order of the report."""
    rows, names = models(report), _names(report)
    against, is_study = _against(names, report), any(run.record.chains for run in report.runs)
    said = {name: dict(_said(name, rows, against, report)) for name in names}
    lines = []
    for row in rows:
        place = (row.run, row.name)
        cells = [_cell(name, row, said[name].get(place), report) for name in names]
        # in a chain it is the one before
        is_said = is_study and any(place in said[name] for name in names)
        note = _note(against[place]) if is_said and place in against else ""
        lines.append(Row(labelled(report, row.run, row.name), tuple(cells), note))
    columns = tuple(Column(_title(name, rows)) for name in names)
    return Table("model" if is_study else "stage", columns, (tuple(lines),))


def _names(report: Report) -> list[str]:
    shown = {panel.metric for panel in scoreboard(report).panels}
    headline = {name for stage in report.measured() for name in headline_metrics(stage)}
    return ordered(shown | {name for name in headline if measure(name).against != "previous"})


def _title(name: str, rows: list[Model]) -> str:
    known = measure(name)
    title = formatting.full_title(name) if known.against is not None else known.title
    counts = dict.fromkeys(row.readings[name].counted for row in rows if name in row.readings)
    return f"{title}, {' / '.join(counts)}"


def _against(names: list[str], report: Report) -> dict[_Place, _Other]:
    """Return the one model that each is compared with: the reference, else the model before."""
    found: dict[_Place, _Other] = {}
    for run in report.runs:
        for one in run.variants:
            place = (run.name, variant_model(one.variant, one.stage))
            found[place] = ("", variant_model(one.reference, one.stage))
    for name in names:
        for change in added(report, name):
            # the whole chain comes after the step
            if change.delta is not None and change.model:
                place = (change.run, change.model)
                found.setdefault(place, (change.against_run, change.against))
    return found


def _note(other: _Other) -> str:
    run, name = other
    return f"against {run}/{name}" if run else f"against {name}"


def _said(
    name: str, rows: list[Model], against: dict[_Place, _Other], report: Report
) -> Iterator[tuple[_Place, _Said]]:
    """Yield how each model differs from the one that its line is of."""
    has_variants = any(run.variants for run in report.runs)
    if measure(name).against is None or has_variants:
        for change in reversed(added(report, name)):
            place, other = (change.run, change.model), (change.against_run, change.against)
            if change.delta is not None and against.get(place) == other:
                words = f"{change.text} {change.word}".strip()
                yield place, _Said(words, change.verdict, change.faint)
    if has_variants:
        return
    places = {labelled(report, row.run, row.name): (row.run, row.name) for row in rows}
    for panel in scoreboard(report).panels:
        for one in panel.rows:
            if panel.metric == name and one.verdict is not None:
                yield places[one.label], _Said(one.word, one.verdict)


def _cell(name: str, row: Model, said: _Said | None, report: Report) -> Cell:
    reading = row.readings.get(name)
    if reading is None:
        return HALF if absent(name, row, report) == HALF_IN_WORDS else Cell(NOTHING)
    text, interval = formatting.plain(name, reading.value), ""
    if reading.low is not None and reading.high is not None:
        interval = formatting.plain_interval(name, reading.low, reading.high)
    if said is None:
        return Cell(text, interval)
    if said.verdict is None:
        return Cell(text, interval, notes=(said.words,))
    return Cell(text, interval, said.verdict, said.words, faint=said.faint)
