"""The gain waterfall as a table: what each stage added to accuracy, by what used to be wrong."""

from typing import get_args

from stagelift.evals.metrics.measures import measure
from stagelift.reports.numbers.gains import Cause, Gain, Part
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import formatting

# the reading that a gain in the numeric one is set beside
_STRICT = {"accuracy": "accuracy_strict", "accuracy_held_out": "accuracy_strict_held_out"}


def gain_table(report: Report) -> Table | None:
    """Return a row per stage and accuracy; None where nothing was scored before and after.

    The parts sum to `numeric`.
    """
    gains = [(gain, run) for run in report.runs for gain in run.gains]
    if not gains:
        return None
    is_own = any(measure(gain.metric).family == "own score" for gain, _ in gains)
    titles = ["score" if is_own else "numeric accuracy", *get_args(Cause)]
    if any(gain.metric in _STRICT for gain, _ in gains):
        titles.append("strict accuracy")
    rows = tuple((_row(gain, run, report, len(titles)),) for gain, run in gains)
    return Table("stage", tuple(map(Column, titles)), rows)


def gain_notes() -> str:
    """Say what the columns hold."""
    return (
        "Where each stage's accuracy came from, in percentage points: format is unparsed → "
        "correct, stopping cut off → correct, reasoning wrong → correct, each minus the reverse; "
        "the parts sum to the difference in numeric accuracy. A part says how the response before "
        "failed, not why the one after is right: under reasoning a lucky number counts as well. "
        "Intervals are each on its own. Where strict accuracy gains more than numeric, responses "
        "came to have the #### line."
    )


def _row(gain: Gain, run: RunReport, report: Report, columns: int) -> Row:
    stage = run.record.stage(gain.stage)
    numeric = _difference(gain.metric, stage, gain.against, run)
    strict = Cell(NOTHING)
    if gain.metric in _STRICT:
        strict = _difference(_STRICT[gain.metric], stage, gain.against, run)
    parts = {part.cause: part for part in gain.parts}
    cells = [_part(parts.get(cause), gain.n) for cause in get_args(Cause)]
    title = report.column(stage)
    if measure(gain.metric).group == "held_out":
        title += ", held-out"
    if measure(gain.metric).family == "own score":
        title += f", {measure(gain.metric).title}"
    clusters = len({*stage.clusters(gain.metric).values()})
    note = f"after {gain.against}, {formatting.counted(gain.n, clusters)}"
    return Row(title, (numeric, *cells, strict)[:columns], note)


def _difference(metric: str, stage: StageRecord, against: str, run: RunReport) -> Cell:
    comparison = run.find(metric, stage, against)
    if comparison is None:
        return Cell(NOTHING)
    text, interval = formatting.difference(comparison)
    before = run.record.stage(against)
    values = [_value(metric, before), _value(metric, stage)]
    return Cell(text, interval, notes=(" → ".join(values),))


def _value(metric: str, stage: StageRecord) -> str:
    return formatting.plain(metric, stage.evaluation.metrics[metric].value)


def _part(part: Part | None, n: int) -> Cell:
    if part is None:
        return Cell(NOTHING, notes=("not measured",))
    points = [formatting.signed(100 * share) for share in (part.delta, part.low, part.high)]
    text, low, high = points
    note = f"{_problems(part.gained * n)} gained, {_problems(part.lost * n)} lost"
    return Cell(text, f"[{low}, {high}]", notes=(note,))


def _problems(count: float) -> str:
    """Write how many problems; with several samples of each that need not be a whole number."""
    if abs(count - round(count)) < 1e-9:
        return f"{count:.10g}"
    return f"{count:.1f}"
