"""The stage table: a column per stage with its values, and between two stages what the later one
added and what it cost.

A win rate against base stands in its stage's column, a win rate against the previous stage between
the two. Readings of one metric that agree in every cell share a row.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure, quantiles, rows
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table, merged
from stagelift.reports.words import formatting
from stagelift.stages.records import StageResult


@dataclass(frozen=True)
class _Place:
    """A column: a stage of a run, and whether it shows the stage's values or what it added to
    `before`.
    """

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
    groups = merged([_metric_group(name, places, report, details=details) for name in names])
    columns = tuple(
        Column(_heading(place, report), "added" if place.added else "stage") for place in places
    )
    return Table("", columns, (*groups, _costs(places)) if details else tuple(groups))


def _places(run: RunReport) -> list[_Place]:
    places = []
    for stage in run.stages:
        before = run.record.before(stage)
        places += [_Place(run, stage, before, added=True)] if before is not None else []
        places.append(_Place(run, stage, before, added=False))
    return places


def _heading(place: _Place, report: Report) -> str:
    """In a lattice the column before is not always the stage before: it is named."""
    if not place.added or place.before is None:
        return report.column(place.stage)
    if place.run.record.lattice:
        return f"{place.stage.kind} added to {report.column(place.before)}"
    return f"{report.column(place.stage)} added"


def _shown(report: Report) -> list[str]:
    """Name the metrics that have a row; with one trained stage, previous and base are one."""
    present = {name for stage in report.stages() for name in stage.evaluation.metrics}
    chain = any(
        before.parent is not None for run in report.runs for before, _ in run.record.steps()
    )
    return rows(present, with_previous=chain)


def _metric_group(
    name: str, places: list[_Place], report: Report, *, details: bool
) -> tuple[Row, ...]:
    stages = report.stages()
    counts = sorted(
        {stage.evaluation.metrics[name].n for stage in stages if name in stage.evaluation.metrics}
    )
    known = measure(name)
    row = Row(
        known.title,
        tuple(_cell(name, place) for place in places),
        f"{known.reading}, n={'/'.join(map(str, counts))}",
    )
    to_base = tuple(_to_base(name, place) for place in places)
    if not details or all(cell.is_empty for cell in to_base):
        return (row,)
    return row, Row("to base", to_base, indented=True)


def _cell(name: str, place: _Place) -> Cell:
    """Fill a stage's own column with its value, and the one before it with what it added."""
    known = measure(name)
    if known.against == "previous":
        return _value(name, place) if place.added else Cell()
    if not place.added:
        return _value(name, place)
    if known.family == "win rate" or place.before is None:
        # against base: not what this stage added
        return Cell()
    found = place.run.find(name, place.stage, place.before.name)
    return Cell() if found is None else _difference(found, place.run)


def _to_base(name: str, place: _Place) -> Cell:
    """From the second trained stage on, say what the chain up to here added to base."""
    base = place.run.record.base(place.stage)
    is_win_rate = measure(name).family == "win rate"
    if place.added or is_win_rate or place.before in (None, base):
        return Cell()
    found = place.run.find(name, place.stage, base.name)
    return Cell() if found is None else _difference(found, place.run)


def _difference(found: Comparison, run: RunReport) -> Cell:
    text, interval = formatting.difference(found)
    notes = (*_below_noise(found, run), *formatting.verdict_notes(found))
    return Cell(
        text,
        interval,
        found.verdict,
        formatting.verdict(found),
        notes,
        faint=run.is_below_noise(found),
    )


def _below_noise(found: Comparison, run: RunReport) -> tuple[str, ...]:
    return ("below the noise floor",) if run.is_below_noise(found) else ()


def _value(name: str, place: _Place) -> Cell:
    metric = place.stage.evaluation.metrics.get(name)
    is_win_rate = measure(name).family == "win rate"
    if metric is None:
        return Cell() if is_win_rate and place.before is None else Cell(NOTHING)
    text, interval = formatting.point(name, metric), formatting.interval(name, metric)
    if is_win_rate:
        return _win_rate(name, place, text, interval)
    return Cell(text, interval, notes=_quantiles(name, place.stage))


def _win_rate(name: str, place: _Place, text: str, interval: str) -> Cell:
    """A win rate is a difference to another model already: its verdict says whether it lies above
    or below one half.

    Of a judge that is not fit to decide there is none.
    """
    found = _lead(name, place)
    counts = place.stage.evaluation.win_tie_loss.get(name)
    notes = [] if counts is None else [f"W/T/L {'/'.join(map(str, counts))}"]
    if place.run.has_unfit_judge:
        return Cell(text, interval, notes=("judge not fit to decide", *notes))
    if found is None:
        return Cell(text, interval, notes=tuple(notes))
    notes += [] if found.p_sign is None else [f"sign test {formatting.p_value(found.p_sign)}"]
    notes = [*_below_noise(found, place.run), *formatting.verdict_notes(found), *notes]
    faint = place.run.is_below_noise(found)
    return Cell(text, interval, found.verdict, formatting.verdict(found), tuple(notes), faint=faint)


def _lead(name: str, place: _Place) -> Comparison | None:
    against = measure(name).against
    if against == "reference":
        return place.run.find(name, place.stage, "reference")
    if place.before is None:
        return None
    opponent = place.before if against == "previous" else place.run.record.base(place.stage)
    return place.run.find(name, place.stage, opponent.name)


def _quantiles(name: str, stage: StageRecord) -> tuple[str, ...]:
    measured = [(known.quantile, stage.evaluation.metrics[known.name]) for known in quantiles(name)]
    return tuple(f"{title} {m.value:g} [{m.low:g}, {m.high:g}]" for title, m in measured)


def _costs(places: list[_Place]) -> tuple[Row, ...]:
    """What each stage's training and evaluation took, as far as that is known."""
    costs = [
        Row(
            "outcomes", tuple(Cell() if place.added else _outcomes(place.stage) for place in places)
        ),
        Row("training time", _trained(places, lambda t: formatting.duration(t.seconds))),
        Row(
            "training peak memory",
            _trained(places, lambda t: formatting.memory(t.peak_memory_bytes)),
        ),
        Row("trainable parameters", _trained(places, lambda t: f"{t.trainable_parameters:,}")),
        Row("steps / tokens", _trained(places, lambda t: f"{t.steps:,} / {t.tokens:,}")),
        Row(
            "evaluation time",
            _measured(places, lambda s: _known(s.evaluation.seconds, formatting.duration)),
        ),
        Row(
            "evaluation peak memory",
            _measured(places, lambda s: _known(s.evaluation.peak_memory_bytes, formatting.memory)),
        ),
    ]
    return tuple(row for row in costs if not all(cell.is_empty for cell in row.cells))


def _trained(places: list[_Place], write: Callable[[StageResult], str]) -> tuple[Cell, ...]:
    """What training cost stands under what it added."""
    return tuple(
        Cell(write(place.stage.training))
        if place.added and place.stage.training is not None
        else Cell()
        for place in places
    )


def _measured(places: list[_Place], write: Callable[[StageRecord], str]) -> tuple[Cell, ...]:
    return tuple(Cell() if place.added else Cell(write(place.stage)) for place in places)


def _known(number: float | None, write: Callable[..., str]) -> str:
    return NOTHING if number is None else write(number)


def _outcomes(stage: StageRecord) -> Cell:
    first, *others = [
        f"{count} {outcome}" for outcome, count in stage.evaluation.outcomes.items()
    ] or [NOTHING]
    return Cell(first, notes=tuple(others))
