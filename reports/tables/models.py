"""The table of headline metrics: a line for each model, a column for each metric that the report is
read for, and in each cell the value with what was added to it.

A win rate is a difference already: in its cell stands whether it is above one half.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.headline import headline_metrics
from stagelift.reports.numbers.verdicts import Decision
from stagelift.reports.report import Report
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import formatting
from stagelift.reports.words.added import added
from stagelift.reports.words.scoreboard import Model, labelled, models, scoreboard

# a model's run and name
_Place = tuple[str, str]


@dataclass(frozen=True)
class _Said:
    """What is said of a model in a metric beside its value."""

    words: str
    verdict: Decision | None
    faint: bool = False


def model_table(report: Report) -> Table:
    """Return the table, with the models in the order of the report."""
    rows, names = models(report), _names(report)
    said = {name: dict(_said(name, rows, report)) for name in names}
    lines = []
    for row in rows:
        cells = [_cell(name, row, said[name].get((row.run, row.name))) for name in names]
        lines.append(Row(labelled(report, row.run, row.name), tuple(cells)))
    columns = tuple(Column(_title(name, rows)) for name in names)
    is_study = any(run.record.chains for run in report.runs)
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


def _said(name: str, rows: list[Model], report: Report) -> Iterator[tuple[_Place, _Said]]:
    """Yield what was added to each model, last what came first: the step from the model before."""
    if measure(name).against is None or any(run.variants for run in report.runs):
        for change in reversed(added(report, name)):
            if change.delta is not None:
                words = f"{change.text} {change.word}".strip()
                yield (change.run, change.model), _Said(words, change.verdict, change.faint)
    places = {labelled(report, row.run, row.name): (row.run, row.name) for row in rows}
    for panel in scoreboard(report).panels:
        for one in panel.rows:
            if panel.metric == name and one.verdict is not None:
                yield places[one.label], _Said(one.word, one.verdict)


def _cell(name: str, row: Model, said: _Said | None) -> Cell:
    reading = row.readings.get(name)
    if reading is None:
        return Cell(NOTHING)
    text, interval = formatting.plain(name, reading.value), ""
    if reading.low is not None and reading.high is not None:
        interval = formatting.plain_interval(name, reading.low, reading.high)
    if said is None:
        return Cell(text, interval)
    if said.verdict is None:
        return Cell(text, interval, notes=(said.words,))
    return Cell(text, interval, said.verdict, said.words, faint=said.faint)
