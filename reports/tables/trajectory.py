"""The checkpoints that a stage was selected among, as a table by step."""

from stagelift.evals.stats.families import ALPHA
from stagelift.reports.numbers.trajectory import Point, Trajectory
from stagelift.reports.report import Report
from stagelift.reports.tables.study import Section
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import formatting
from stagelift.reports.words.trajectory import checkpoint_word

_COLUMNS = ("validation", "to the selected", "")


def trajectory_sections(report: Report) -> list[Section]:
    """Return a table for each stage that was selected among checkpoints, run by run."""
    sections = []
    for run in report.runs:
        where = f" ({run.name})" if len(report.runs) > 1 else ""
        sections += [
            Section(f"Which checkpoint: {curve.stage}{where}", _table(curve), _notes(curve))
            for curve in run.trajectories
        ]
    return sections


def _table(curve: Trajectory) -> Table:
    """Return base, where it was measured, and every checkpoint with its difference to the best."""
    title = formatting.full_title(curve.metric)
    columns = (Column(f"{title}, {_COLUMNS[0]}"), *(Column(name) for name in _COLUMNS[1:]))
    rows = [(_row(point, curve.metric),) for point in curve.points]
    if curve.base is not None:
        cell = Cell(
            formatting.point(curve.metric, curve.base),
            formatting.interval(curve.metric, curve.base),
            notes=(f"n={curve.base.n}",),
        )
        rows.insert(0, (Row("base", (cell, Cell(NOTHING), Cell())),))
    return Table("checkpoint", columns, tuple(rows))


def _row(point: Point, metric: str) -> Row:
    value = Cell(
        formatting.point(metric, point.value),
        formatting.interval(metric, point.value),
        notes=(f"n={point.value.n}",),
    )
    cells = (value, _difference(point, metric), Cell(checkpoint_word(point)))
    return Row(f"step {point.step}", cells)


def _difference(point: Point, metric: str) -> Cell:
    if point.beside is None:
        return Cell(NOTHING)
    made = point.beside.difference
    note = f"adjusted {formatting.p_value(point.beside.p_adjusted)}"
    text = formatting.change(metric, made.delta)
    return Cell(text, formatting.change_interval(metric, made.low, made.high), notes=(note,))


def _notes(curve: Trajectory) -> tuple[str, ...]:
    """Say how to read the table, and which checkpoints are not in it."""
    level = f"{100 * ALPHA:.0f}%"
    notes = [
        "Selected is the best value on the validation problems, the earliest of equal ones. Every "
        "other checkpoint is compared with it, paired by prompt; what Holm's adjustment over these "
        f"comparisons leaves below {level} is told apart. The best of several values is too high "
        "for having been picked: read the stage's own column, whose problems were asked once, of "
        "the selected checkpoint."
    ]
    notes += [f"{name} was left out: {reason}" for name, reason in curve.left_out.items()]
    return tuple(notes)
