"""The stage table: a column per stage, and between two stages what the later one added and cost.

A win rate against base stands in its stage's column, a win rate against the previous stage between
the two. Readings of one metric that agree in every cell share a row.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from stagelift.evals.metrics.measures import measure, quantiles, rows
from stagelift.evals.records import EvalResult
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.families import BESIDE_THE_MAIN
from stagelift.reports.numbers.headline import is_accuracy_again
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.tables.table import (
    BELOW_NOISE,
    HALF,
    NOTHING,
    Cell,
    Column,
    Row,
    Table,
    merged,
)
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.gained_and_lost import is_by_construction
from stagelift.reports.words.votes import vote_notes
from stagelift.stages.records import EXPORT, StageResult


@dataclass(frozen=True)
class _Place:
    """A column of a stage: of its values, or of what it `added` to the stage before it."""

    run: RunReport
    stage: StageRecord
    before: StageRecord | None
    added: bool


def stage_table(report: Report) -> Table:
    """Return every metric with its differences and verdicts, then outcomes and costs."""
    return _table(report, _shown(report), details=True)


def headline_table(report: Report) -> Table:
    """Return the few metrics of a summary, with what each stage added and nothing below."""
    names = [name for name in _shown(report) if measure(name).headline]
    return _table(report, names, details=False)


def _table(report: Report, names: list[str], *, details: bool) -> Table:
    places = [place for run in report.runs for place in _places(run)]
    groups = merged([_metric_group(name, places, details=details) for name in names])
    if details:
        groups.append(_costs(places))
    return Table("", tuple(_column(place, report) for place in places), tuple(groups))


def _places(run: RunReport) -> list[_Place]:
    places = []
    for stage in run.record.measured():
        before = run.record.before(stage)
        if before is not None:
            places.append(_Place(run, stage, before, added=True))
        places.append(_Place(run, stage, before, added=False))
    return places


def _shown(report: Report) -> list[str]:
    """Name the metrics that have a row; with one trained stage, previous and base are one."""
    present = {name for stage in report.measured() for name in stage.evaluation.metrics}
    steps = [step for run in report.runs for step in run.record.steps()]
    is_chain = any(before.parent is not None for before, _ in steps)
    has_exports = any(run.record.exports for run in report.runs)
    return rows(present, with_previous=is_chain or has_exports)


def _column(place: _Place, report: Report) -> Column:
    """In a lattice the column before is not always the stage before: it is named."""
    title = report.column(place.stage)
    if not place.added or place.before is None:
        return Column(title, "stage")
    if place.stage.kind == EXPORT:
        return Column(f"{title} against {report.column(place.before)}", "added")
    if place.run.record.lattice:
        return Column(f"{place.stage.kind} added to {report.column(place.before)}", "added")
    return Column(f"{title} added", "added")


def _metric_group(name: str, places: list[_Place], *, details: bool) -> tuple[Row, ...]:
    known = measure(name)
    metrics = [place.stage.evaluation.metrics for place in places]
    counts = sorted({measured[name].n for measured in metrics if name in measured})
    clusters = max(len({*place.stage.clusters(name).values()}) for place in places)
    note = f"{known.reading}, {formatting.counted('/'.join(map(str, counts)), clusters)}"
    if known.family == "win rate by votes":
        note += " voted on"
    if any(is_accuracy_again(name, place.stage) for place in places):
        note += "; accuracy and brevity again"
    row = Row(known.title, tuple(_cell(name, place) for place in places), note)
    to_base = tuple(_to_base(name, place) for place in places)
    if not details or all(cell.is_empty for cell in to_base):
        return (row,)
    return row, Row("to base", to_base, indented=True)


def _cell(name: str, place: _Place) -> Cell:
    """Fill a stage's own column with its value, and the one before it with what it added."""
    known = measure(name)
    # what a stage won against the one before is what it added
    is_added = known.against == "previous"
    if place.added == is_added:
        return _value(name, place)
    if is_added or _is_of_two_stages(name) or place.before is None:
        return Cell()
    return _difference(name, place, place.before)


def _to_base(name: str, place: _Place) -> Cell:
    """From the second trained stage on, say what the chain up to here added to base."""
    base = place.run.record.base(place.stage)
    if place.added or _is_of_two_stages(name) or place.before in (None, base):
        return Cell()
    return _difference(name, place, base)


def _is_of_two_stages(name: str) -> bool:
    """Say whether a metric is a difference of stages itself: a win rate against one of them."""
    return measure(name).against not in (None, "reference")


def _difference(name: str, place: _Place, against: StageRecord) -> Cell:
    comparison = place.run.find(name, place.stage, against.name)
    if comparison is None:
        return Cell()
    text, interval = formatting.difference(comparison)
    return _with_verdict(Cell(text, interval), comparison, place.run)


def _with_verdict(cell: Cell, comparison: Comparison, run: RunReport) -> Cell:
    """Add a comparison's verdict to a cell, with what is to be said of it before the notes."""
    faint = run.is_below_noise(comparison)
    notes = (*formatting.verdict_notes(comparison), *cell.notes)
    if faint:
        notes = (BELOW_NOISE, *notes)
    word = formatting.verdict(comparison)
    if comparison.family in BESIDE_THE_MAIN:
        word = f"{word} {formatting.OTHER_FAMILY}"
    return replace(cell, verdict=comparison.verdict, word=word, notes=notes, faint=faint)


def _value(name: str, place: _Place) -> Cell:
    metric = place.stage.evaluation.metrics.get(name)
    is_win_rate = measure(name).against is not None
    if metric is None:
        nobody_before = is_win_rate and place.before is None
        if is_by_construction(name, place.stage):
            return HALF
        return Cell() if nobody_before else Cell(NOTHING)
    cell = Cell(formatting.point(name, metric), formatting.interval(name, metric))
    if is_win_rate:
        return _win_rate(name, place, cell)
    return replace(cell, notes=_quantiles(name, place.stage))


def _win_rate(name: str, place: _Place, cell: Cell) -> Cell:
    """Add the counts and the verdict to a win rate.

    It is a difference to another model already: its verdict says whether it lies above or below
    one half. Of a judge that is not fit to decide there is none.
    """
    comparison = _against_opponent(name, place)
    if measure(name).family == "win rate by votes":
        cell = replace(cell, notes=_votes(name, place.stage))
        return cell if comparison is None else _with_verdict(cell, comparison, place.run)
    notes = []
    counts = place.stage.evaluation.win_tie_loss.get(name)
    if counts is not None:
        notes.append(f"W/T/L {'/'.join(map(str, counts))}")
    if place.run.has_unfit_judge:
        return replace(cell, notes=("judge not fit to decide", *notes))
    if comparison is None:
        return replace(cell, notes=tuple(notes))
    return _with_verdict(replace(cell, notes=tuple(notes)), comparison, place.run)


def _votes(name: str, stage: StageRecord) -> tuple[str, ...]:
    votes = next(found for found in stage.voted.values() if found.metric == name)
    return tuple(vote_notes(votes))


def _against_opponent(name: str, place: _Place) -> Comparison | None:
    against = measure(name).against
    if against == "reference":
        return place.run.find(name, place.stage, "reference")
    if place.before is None:
        return None
    opponent = place.run.record.base(place.stage)
    if against == "previous":
        opponent = place.before
    return place.run.find(name, place.stage, opponent.name)


def _quantiles(name: str, stage: StageRecord) -> tuple[str, ...]:
    notes = []
    for known in quantiles(name):
        metric = stage.evaluation.metrics[known.name]
        value, low, high = (f"{round(n, 1):g}" for n in (metric.value, metric.low, metric.high))
        notes.append(f"{known.quantile} {value} [{low}, {high}]")
    return tuple(notes)


def _costs(places: list[_Place]) -> tuple[Row, ...]:
    """Say what each stage's training and evaluation took, as far as that is known."""
    trained: dict[str, Callable[[StageResult], str]] = {
        "training time": lambda training: counting.duration(training.seconds),
        "training peak memory": lambda training: counting.memory(training.peak_memory_bytes),
        "trainable parameters": lambda training: f"{training.trainable_parameters:,}",
        "steps / tokens": lambda training: f"{training.steps:,} / {training.tokens:,}",
    }
    evaluated = {
        "evaluation time": _evaluation_time,
        "evaluation peak memory": _evaluation_memory,
    }
    costs = [
        Row("outcomes", _measured(places, _outcomes)),
        *(Row(title, _trained(places, write)) for title, write in trained.items()),
        *(Row(title, _measured(places, write)) for title, write in evaluated.items()),
    ]
    return tuple(row for row in costs if not all(cell.is_empty for cell in row.cells))


def _measured(places: list[_Place], fill: Callable[[EvalResult], Cell]) -> tuple[Cell, ...]:
    cells = []
    for place in places:
        cells.append(Cell() if place.added else fill(place.stage.evaluation))
    return tuple(cells)


def _trained(places: list[_Place], write: Callable[[StageResult], str]) -> tuple[Cell, ...]:
    """Put what training cost under what it added."""
    cells = []
    for place in places:
        training = place.stage.training
        if not place.added or training is None:
            cells.append(Cell())
        else:
            cells.append(Cell(write(training)))
    return tuple(cells)


def _outcomes(evaluation: EvalResult) -> Cell:
    counts = [f"{count} {outcome}" for outcome, count in evaluation.outcomes.items()]
    if not counts:
        return Cell(NOTHING)
    return Cell(counts[0], notes=tuple(counts[1:]))


def _evaluation_time(evaluation: EvalResult) -> Cell:
    if evaluation.seconds is None:
        return Cell(NOTHING)
    return Cell(counting.duration(evaluation.seconds))


def _evaluation_memory(evaluation: EvalResult) -> Cell:
    if evaluation.peak_memory_bytes is None:
        return Cell(NOTHING)
    return Cell(counting.memory(evaluation.peak_memory_bytes))
