"""The gain waterfall as a table: what each stage added to accuracy, by how the responses used to
fail.
"""

from typing import get_args

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
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
    columns = [
        Column("numeric accuracy"),
        *(Column(cause) for cause in get_args(Cause)),
        Column("strict accuracy"),
    ]
    rows = tuple((_row(gain, run, report),) for gain, run in gains)
    return Table("stage", tuple(columns), rows)


def gain_notes() -> str:
    """Say what the columns hold."""
    return (
        "Where each stage's accuracy came from, in percentage points: format is unparsed → "
        "correct, stopping cut off → correct, reasoning wrong → correct, each minus the reverse; "
        "the parts sum to the difference in numeric accuracy. Where strict accuracy gains more "
        "than numeric, the stage taught the #### line."
    )


def _row(gain: Gain, run: RunReport, report: Report) -> Row:
    stage = run.record.stage(gain.stage)
    parts = {part.cause: part for part in gain.parts}
    cells = [_part(parts.get(cause), gain) for cause in get_args(Cause)]
    numeric, strict = (
        _difference(gain.metric, stage, gain, run),
        _difference(_STRICT[gain.metric], stage, gain, run),
    )
    held_out = ", held-out" if measure(gain.metric).group == "held_out" else ""
    title = f"{report.column(stage)}{held_out}"
    return Row(title, (numeric, *cells, strict), note=f"after {gain.against}, n={gain.n}")


def _difference(metric: str, stage: StageRecord, gain: Gain, run: RunReport) -> Cell:
    found = run.find(metric, stage, gain.against)
    if found is None:
        return Cell(NOTHING)
    text, interval = formatting.difference(found)
    before = run.record.stage(gain.against)
    return Cell(
        text,
        interval,
        notes=(_path(metric, before.evaluation.metrics[metric], stage.evaluation.metrics[metric]),),
    )


def _path(metric: str, before: Metric, after: Metric) -> str:
    return f"{formatting.plain(metric, before.value)} → {formatting.plain(metric, after.value)}"


def _part(part: Part | None, gain: Gain) -> Cell:
    if part is None:
        return Cell(NOTHING, notes=("not measured",))
    text, low, high = (
        formatting.signed(100 * number) for number in (part.delta, part.low, part.high)
    )
    return Cell(
        text,
        f"[{low}, {high}]",
        notes=(f"{_count(part.gained, gain)} gained, {_count(part.lost, gain)} lost",),
    )


def _count(share: float, gain: Gain) -> str:
    """Write a share as problems; with several samples per problem that need not be a whole
    number.
    """
    return (
        f"{share * gain.n:.10g}"
        if abs(share * gain.n - round(share * gain.n)) < 1e-9
        else f"{share * gain.n:.1f}"
    )
