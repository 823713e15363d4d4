"""The answer in a line a stage: its number, its verdict, its length, and what it lost.

The lines are made of the report's numbers alone, and stand first in every format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.measures import Unit, measure
from stagelift.reports.numbers.verdicts import SHOWN, Decision
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import formatting
from stagelift.reports.words.added import WHOLE_CHAIN, Added, added
from stagelift.reports.words.gained_and_lost import asks_for_losses, losses, not_measured
from stagelift.reports.words.scoreboard import (
    UNFIT,
    Model,
    Reading,
    labelled,
    length_metric,
    main_metric,
    models,
    scoreboard,
)

# the share of responses cut off at the limit from which it is said beside every number
_MANY_CUT = 0.2
_CUT_OFF = "truncated"
_UNITS: dict[Unit, str] = {"share": " points", "tokens": " tokens", "characters": " characters"}


@dataclass(frozen=True)
class StageLine:
    """What is said of one stage. `subject` and `against` come from recipes and files, and may be
    long; `against` is "" where it goes without saying. `words` are ours but for names of metrics.
    """

    subject: str
    against: str
    words: str
    verdict: Decision | None
    faint: bool

    @property
    def text(self) -> str:
        against = f" against {self.against}" if self.against else ""
        return f"{self.subject}{against}: {self.words}"


@dataclass(frozen=True)
class _Known:
    """What the lines are put together from, by what it is of."""

    main: str
    values: dict[tuple[str, str], Reading]
    win_rates: dict[str, str]
    lengths: dict[tuple[str, str, str], str]
    losses: dict[tuple[str, str], list[str]]
    asked: set[tuple[str, str]]


def stage_lines(report: Report) -> list[StageLine]:
    """Return a line for each stage, share, variant or export; where nothing was added to anything,
    one for each model.
    """
    main = main_metric(report)
    if main is None:
        return []
    rows = added(report, main)
    if not any(row.delta is not None for row in rows):
        return [_alone(model, main, report) for model in models(report)]
    known = _known(main, report)
    return [_line(row, known, report) for row in rows]


def basis(report: Report) -> str:
    """Say what the lines rest on: how many prompts, whose verdicts, and what is missing."""
    board = scoreboard(report)
    counts = dict.fromkeys(forest.counted for forest in board.forests if forest.counted)
    if not counts:
        counts = dict.fromkeys(panel.counted for panel in board.panels)
    said = [f"{'; '.join(counts)}; 95% intervals" if counts else "Nothing was measured"]
    words = [row.word for forest in board.forests for row in forest.rows]
    words += [row.word for panel in board.panels for row in panel.rows]
    if any(row.verdict for forest in board.forests for row in forest.rows):
        said[0] += "; verdicts after Holm's adjustment"
    sentences = [f"{said[0]}.", *_marks(words), *_cut_off(report), *_missing(report)]
    return " ".join(sentences)


def _marks(words: Sequence[str]) -> Iterator[str]:
    if any(formatting.OTHER_FAMILY in word for word in words):
        yield f"{formatting.OTHER_FAMILY}: not of the headline."


def _cut_off(report: Report) -> Iterator[str]:
    """Name the models whose responses often ended at the limit: others may only stop in time."""
    often = [
        f"{labelled(report, model.run, model.name)} {formatting.plain(_CUT_OFF, cut.value)}"
        for model in models(report)
        if (cut := model.readings.get(_CUT_OFF)) is not None and cut.value >= _MANY_CUT
    ]
    if often:
        named = formatting.listed(often[:3]) + (" and others" if len(often) > 3 else "")
        yield f"Cut off at the limit: {named}; a change may be of stopping in time (--full)."


def _missing(report: Report) -> Iterator[str]:
    for run in report.runs:
        missing = [*run.record.missing, *run.record.missing_exports]
        if missing:
            named = ", ".join(missing) if len(missing) < 4 else f"{len(missing)} models"
            yield f"Not evaluated yet: {named}."


def _alone(model: Model, main: str, report: Report) -> StageLine:
    """Say what a model is, where no stage was compared with another."""
    reading, title = model.readings.get(main), measure(main).title
    words = f"{title} not measured"
    if reading is not None:
        words = f"{title} {with_interval(main, reading)} ({reading.counted})"
    is_rate = measure(main).family == "win rate"
    if is_rate and any(run.has_unfit_judge for run in report.runs):
        words = f"{words}; {UNFIT}"
    return StageLine(labelled(report, model.run, model.name), "", words, None, faint=False)


def with_interval(name: str, reading: Reading) -> str:
    """Write a model's value, with its interval where it has one."""
    value = formatting.plain(name, reading.value)
    if reading.low is None or reading.high is None:
        return value
    return f"{value} {formatting.plain_interval(name, reading.low, reading.high)}"


def _known(main: str, report: Report) -> _Known:
    length = length_metric(report)
    steps = [step for run in report.runs for step in _steps(run)]
    lengths = [] if length in (None, main) else added(report, str(length))
    return _Known(
        main=main,
        values={
            (model.run, model.name): model.readings[main]
            for model in models(report)
            if main in model.readings
        },
        win_rates=_win_rates(main, report),
        lengths={
            (row.run, row.label, row.against): _length(row, str(length))
            for row in lengths
            if row.delta is not None
        },
        losses={
            (labelled(report, run.name, stage.name), before.name): losses(stage, before, run, main)
            for run, stage, before in steps
        },
        asked={
            (labelled(report, run.name, stage.name), before.name)
            for run, stage, before in steps
            if asks_for_losses(stage) and not not_measured(stage)
        },
    )


def _steps(run: RunReport) -> Iterator[tuple[RunReport, StageRecord, StageRecord]]:
    """Yield each stage with the one before, and the last one with base."""
    for before, stage in run.record.steps():
        yield run, stage, before
    if not run.record.chains:
        yield run, run.stages[-1], run.stages[0]


def _win_rates(main: str, report: Report) -> dict[str, str]:
    """Return the win rates that say more than accuracy and were shown to be one, by stage."""
    panels = [panel for panel in scoreboard(report).panels if panel.center is not None]
    return {
        row.label: f"{panel.title} {panel.reading} {row.text} {row.word}"
        for panel in panels
        for row in panel.rows
        if panel.metric != main and not panel.note and row.verdict in SHOWN
    }


def _length(row: Added, name: str) -> str:
    """Say by how many percent, where the ratio goes where the mean goes, else by how much."""
    if row.verdict is None:
        return f"length {row.text} {row.word}".rstrip()
    if row.verdict not in SHOWN:
        return f"length: {row.word}"
    ratio, mark = row.ratio, row.word.removeprefix(row.verdict)
    if ratio is not None and (ratio.value < 1) == (row.verdict == "shorter"):
        return f"{row.verdict} by {100 * abs(ratio.value - 1):.0f}%{mark}"
    return f"{row.verdict}: {row.text}{_UNITS.get(measure(name).unit, '')}{mark}"


def _line(row: Added, known: _Known, report: Report) -> StageLine:
    model = labelled(report, row.run, row.model)
    step = (model, row.against)
    is_whole = row.label == WHOLE_CHAIN
    said = [
        _headline(row, known),
        "" if is_whole else known.win_rates.get(model, ""),
        known.lengths.get((row.run, row.label, row.against), ""),
        _lost(row, known.losses.get(step, []), asked=step in known.asked),
    ]
    words = "; ".join(part for part in said if part)
    subject = labelled(report, row.run, row.label)
    is_mixed = row.verdict == "improved" and bool(known.losses.get(step))
    verdict = None if is_mixed else row.verdict
    return StageLine(subject, row.beside, words, verdict, row.faint)


def _headline(row: Added, known: _Known) -> str:
    title = measure(known.main).title
    now = known.values.get((row.run, row.model))
    before = known.values.get((row.against_run or row.run, row.against))
    if row.delta is None:
        number = "not measured" if now is None else with_interval(known.main, now)
        return f"{title} {number}, {row.word}"
    shown = [formatting.plain(known.main, one.value) for one in (before, now) if one is not None]
    numbers = f"{' -> '.join(shown)}, " if shown else ""
    return f"{title} {numbers}{row.text} {row.word}".rstrip()


def _lost(row: Added, lost: Sequence[str], *, asked: bool) -> str:
    """Say what was lost beside the main metric; that nothing was, only where it could be seen."""
    if lost:
        return f"lost {formatting.listed(lost)}"
    return "lost nothing shown" if asked and row.verdict != "regressed" else ""
