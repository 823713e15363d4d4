"""What each stage gained and what it lost, in a line each: verdicts alone, for a report's first
screen.

Only where the retention suite was asked: without it a loss could not be seen. Lengths and times are
neither gains nor losses. Where no loss was shown, it says how large one the comparison would likely
have shown (80% power); a smaller one may be there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.looping import LOOPING_FIELD
from stagelift.evals.metrics.measures import measure, ordered
from stagelift.evals.records import Role
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.headline import headline_metrics, is_accuracy_again
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import counting, formatting

TITLE = "Gained and lost"
BY_CONSTRUCTION = "(base: 50% by construction)"
_NOTHING = "nothing shown"
# fields of a contract, and the metric that each asks for
_ASKED = {"retention_choices": "choice_acc_norm", "retention_text": "bits_per_byte"}


@dataclass(frozen=True)
class GainedAndLost:
    """What a stage gained and lost against an earlier one, in words."""

    stage: str
    against: str
    gained: str
    lost: str


def gained_and_lost(report: Report) -> list[GainedAndLost]:
    """Return a line for each stage, and one for the whole chain where it has several.

    Of studies, whose chains are many, there is none.
    """
    return [line for run in report.runs if not run.record.chains for line in _of_run(run, report)]


def asks_for_losses(stage: StageRecord) -> bool:
    """Say whether the retention suite was asked, without which few losses could be seen."""
    return LOOPING_FIELD in stage.evaluation.contract


def not_measured(stage: StageRecord) -> list[str]:
    """Name what was asked for and an engine without log-probabilities could not tell."""
    return [
        measure(name).title
        for field, name in _ASKED.items()
        if field in stage.evaluation.contract and name not in stage.evaluation.metrics
    ]


def losses(
    stage: StageRecord, before: StageRecord, run: RunReport, besides: str | None = None
) -> list[str]:
    """Write what a stage lost against an earlier one, in all metrics that can say so but one."""
    return [
        _change(comparison, before)
        for comparison in lost(stage, before, run)
        if comparison.metric != besides
    ]


def gains(stage: StageRecord, before: StageRecord, run: RunReport, besides: str) -> list[str]:
    """Write what a stage gained against an earlier one in the metrics that its report is read for,
    but one; a win rate is told by itself.
    """
    return [
        _change(comparison, before)
        for comparison in gained(stage, before, run)
        if comparison.metric != besides and measure(comparison.metric).against is None
    ]


def lost(stage: StageRecord, before: StageRecord, run: RunReport) -> list[Comparison]:
    """Return the comparisons in which a stage was shown to be worse than an earlier one."""
    compared = _compared(stage, before, run)
    return [comparison for comparison in compared if comparison.verdict == "regressed"]


def gained(stage: StageRecord, before: StageRecord, run: RunReport) -> list[Comparison]:
    """Return those in which it was shown to be better, of the metrics that its report is read
    for.
    """
    headline = headline_metrics(stage)
    return [
        comparison
        for comparison in _compared(stage, before, run)
        if comparison.verdict == "improved" and comparison.metric in headline
    ]


def _of_run(run: RunReport, report: Report) -> list[GainedAndLost]:
    steps = [(stage, before) for before, stage in run.record.steps()]
    if len(steps) > 1:
        steps.append((run.stages[-1], run.stages[0]))
    return [_line(stage, before, run, report) for stage, before in steps if asks_for_losses(stage)]


def _line(stage: StageRecord, before: StageRecord, run: RunReport, report: Report) -> GainedAndLost:
    compared = _compared(stage, before, run)
    better = [
        _change(comparison, before) for comparison in compared if comparison.verdict == "improved"
    ]
    worse = losses(stage, before, run)
    said = counting.listed(worse) if worse else f"{_NOTHING}{_would_have_shown(compared)}"
    return GainedAndLost(
        stage=report.column(stage),
        against=before.name,
        gained=counting.listed(better) if better else _NOTHING,
        lost=f"{said}{_with_missing(stage)}",
    )


def _compared(stage: StageRecord, before: StageRecord, run: RunReport) -> list[Comparison]:
    """Return the comparisons that can be a gain or a loss, one reading of each metric."""
    role: Role = "base" if before.parent is None else "previous"
    names = [name for name in ordered(stage.evaluation.metrics) if _counts(name, role, stage)]
    if run.has_unfit_judge:
        names = [name for name in names if measure(name).family != "win rate"]
    compared = [run.find(name, stage, before.name) for name in names]
    return [comparison for comparison in compared if comparison is not None]


def _counts(name: str, role: Role, stage: StageRecord) -> bool:
    known = measure(name)
    if known.family in ("length", "time") or is_accuracy_again(name, stage):
        return False
    is_told = known.noun is not None or (known.supporting and known.headline)
    return is_told and known.against in (None, role)


def _change(comparison: Comparison, before: StageRecord) -> str:
    name = comparison.metric
    change = formatting.change_with_interval(
        name, comparison.delta, comparison.low, comparison.high
    )
    of_base = f" {BY_CONSTRUCTION}" if is_by_construction(name, before) else ""
    return f"{noun(name)} {change}{formatting.unit_of(name)}{of_base}"


def noun(name: str) -> str:
    """Name a metric as something that can be gained and lost."""
    known = measure(name)
    return known.noun or known.title


def is_by_construction(name: str, stage: StageRecord) -> bool:
    """Say whether a model has one half in a metric because it is set against itself."""
    return measure(name).family == "preference accuracy" and stage.parent is None


def _would_have_shown(compared: Sequence[Comparison]) -> str:
    """Say how large a loss of what a stage may cost would likely have been seen."""
    sizes = [
        f"{formatting.size(comparison.metric, comparison.mde)}"
        f"{formatting.unit_of(comparison.metric)} of {noun(comparison.metric)}"
        for comparison in compared
        if measure(comparison.metric).supporting and comparison.mde is not None
    ]
    return f" (would likely have shown {counting.listed(sizes)})" if sizes else ""


def _with_missing(stage: StageRecord) -> str:
    missing = not_measured(stage)
    return f"; not measured: {counting.listed(missing)}" if missing else ""
