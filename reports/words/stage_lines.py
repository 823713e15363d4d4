"""The answer in a line a stage: its number, its verdict, its length, and what it lost.

The lines are made of the report's numbers alone, and stand first in every format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure
from stagelift.evals.printed import shown_name
from stagelift.evals.records import Metric
from stagelift.reports.numbers.headline import main_metric
from stagelift.reports.numbers.seeds import siblings
from stagelift.reports.numbers.variants import RankedVariant
from stagelift.reports.numbers.verdicts import SHOWN, Decision
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.added import WHOLE_CHAIN, Added, added, variant_model
from stagelift.reports.words.gained_and_lost import (
    asks_for_losses,
    gains,
    losses,
    not_measured,
)
from stagelift.reports.words.scoreboard import (
    NOT_MEASURED,
    OPPONENT,
    UNFIT,
    Model,
    Reading,
    labelled,
    length_metric,
    models,
    scoreboard,
    stage_reading,
)
from stagelift.reports.words.study_summary import without_shares
from stagelift.reports.words.variants import changed, unshown, variant_findings

# the share of responses cut off at the limit from which it is said beside every number
_MANY_CUT = 0.2
_CUT_OFF = "truncated"


@dataclass(frozen=True)
class StageLine:
    """What is said of one stage. `subject` and `against` come from recipes and files, and may be
    long; `against` is "" where it goes without saying. `words` are ours but for names of metrics.
    `model` labels the model that it is of, "" where it is of several; what a study found is
    `of_all`, and has a model where it goes with it.
    """

    subject: str
    against: str
    words: str
    verdict: Decision | None
    faint: bool
    model: str = ""
    of_all: bool = False

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
    gains: dict[tuple[str, str], list[str]]
    losses: dict[tuple[str, str], list[str]]
    asked: set[tuple[str, str]]
    unshown: dict[tuple[str, str], str]


def stage_lines(report: Report) -> list[StageLine]:
    """Return a line for each stage, share, variant or export: what it added, else what it is and
    why it is compared with nothing.
    """
    main = main_metric(report.measured())
    if main is None:
        return []
    known, rows = _known(main, report), added(report, main)
    lines = [
        line
        for run in report.runs
        for line in (*_findings(run, report), *_of_run(run, rows, known, report))
    ]
    return [*lines, *(_line(row, known, report) for row in rows if row.against_run)]


def basis(report: Report, rest: str = "folded below") -> str:
    """Say what the lines rest on: how many prompts, whose verdicts, and what is missing; `rest`
    says where all else is.
    """
    forests = [row for forest in scoreboard(report).forests for row in forest.rows]
    counts = [(row.counted, row.low is not None) for row in forests if row.counted]
    said = _counted(counts or list(_of_panels(report)))
    if any(row.verdict for row in forests):
        said += "; verdicts after Holm's adjustment"
    words = [row.word for row in forests] + [line.words for line in stage_lines(report)]
    notes = [*_two_seeds(report), *_marks(words), *_cut_off(report, rest), *_missing(report)]
    return " ".join([f"{said}.", *notes])


def _of_panels(report: Report) -> Iterator[tuple[str, bool]]:
    """Yield over what each value of the panels is, and whether it has an interval."""
    metrics = [panel.metric for panel in scoreboard(report).panels]
    for model in models(report):
        for reading in (model.readings[name] for name in metrics if name in model.readings):
            yield reading.counted, reading.low is not None


def _counted(counts: Sequence[tuple[str, bool]]) -> str:
    """Say over what numbers are, and which of them have intervals."""
    if not counts:
        return "Nothing was measured"
    every = dict.fromkeys(counted for counted, _ in counts)
    with_interval = {counted for counted, has_interval in counts if has_interval}
    without = [counted for counted in every if counted not in with_interval]
    said = "95% intervals" if with_interval else "no intervals"
    if with_interval and without:
        said += f", none over {counting.listed(without)}"
    return f"{' / '.join(every)}; {said}"


def _two_seeds(report: Report) -> Iterator[str]:
    floors = [floor for run in report.runs for floor in run.floors]
    if floors and all(floor.of(1) is None for floor in floors):
        yield "Two seeds know no noise floor: a third may do more."


def _marks(words: Sequence[str]) -> Iterator[str]:
    if any(formatting.OTHER_FAMILY in word for word in words):
        yield f"{formatting.OTHER_FAMILY}: not of the headline."


def _cut_off(report: Report, rest: str) -> Iterator[str]:
    """Name the models whose responses often ended at the limit, where others are compared with
    them: these may only stop in time.
    """
    compared = _compared(report)
    often = [
        f"{labelled(report, model.run, model.name)} {formatting.plain(_CUT_OFF, cut.value)}"
        for model in models(report)
        if (model.run, model.name) in compared
        and (cut := model.readings.get(_CUT_OFF)) is not None
        and cut.value >= _MANY_CUT
    ]
    if often:
        named = counting.listed(often[:3]) + (" and others" if len(often) > 3 else "")
        yield f"Cut off at the limit: {named}; changes may be of stopping in time ({rest})."


def _compared(report: Report) -> set[tuple[str, str]]:
    """Return the models of which the lines and forests compare responses: shares of a lattice
    compare all of its.
    """
    rows = [row for one in scoreboard(report).forests for row in one.rows if row.delta is not None]
    of_all = {row.run for row in rows if not row.model}
    found = {(model.run, model.name) for model in models(report) if model.run in of_all}
    for row in rows:
        found |= {(row.run, row.model), (row.against_run or row.run, row.against)}
    for run in report.runs:
        found |= {(run.name, name) for one in variant_findings(run) for name in one.compared}
    return found


def _missing(report: Report) -> Iterator[str]:
    for run in report.runs:
        missing = [*run.record.missing, *run.record.missing_exports]
        if missing:
            named = ", ".join(missing) if len(missing) < 4 else f"{len(missing)} models"
            yield f"Not evaluated yet: {named}."
            yield from filter(None, [without_shares(run)])


def _findings(run: RunReport, report: Report) -> Iterator[StageLine]:
    """Yield what a study of variants found, before its models."""
    for one in variant_findings(run):
        subject = one.subject if len(report.runs) == 1 else f"{run.name}: {one.subject}"
        model = labelled(report, run.name, one.earlier) if one.earlier else ""
        yield StageLine(subject, one.against, one.words, None, False, model, of_all=True)


def _told_together(run: RunReport) -> set[str]:
    """Name the variants' models of earlier stages: what was found of these stands in a line."""
    if not variant_findings(run):
        return set()
    last = run.variants[-1].stage
    return {variant_model(one.variant, one.stage) for one in run.variants if one.stage != last}


def _of_run(
    run: RunReport, every: Sequence[Added], known: _Known, report: Report
) -> Iterator[StageLine]:
    """Yield what was added in a run, and in their places the models that nothing is said of."""
    rows = [row for row in every if row.run == run.name and not row.against_run]
    together = _told_together(run)
    places = {model.name: place for place, model in enumerate(_models(run, report))}
    alone = [model for model in _models(run, report) if _is_alone(model, rows, run)]
    rows = [row for row in rows if row.model not in together]
    for row in rows:
        while alone and places[alone[0].name] < places.get(row.model, -1):
            yield _alone(alone.pop(0), run, known.main, report)
        yield _line(row, known, report)
    yield from (_alone(model, run, known.main, report) for model in alone)


def _models(run: RunReport, report: Report) -> list[Model]:
    return [model for model in models(report) if model.run == run.name]


def _is_alone(model: Model, rows: Sequence[Added], run: RunReport) -> bool:
    """Say whether no row is of a model; base is what others are compared with, and shares of a
    lattice are of all its models.
    """
    if any(row.model in ("", model.name) for row in rows):
        return False
    is_base = any(stage.name == model.name and stage.parent is None for stage in run.stages)
    compared_with = {row.against for row in rows}
    return not is_base or not (model.name in compared_with or (run.variants and any(compared_with)))


def _alone(model: Model, run: RunReport, main: str, report: Report) -> StageLine:
    """Say what a model is, and why no difference is told."""
    said = [_measured(model, main, run)]
    why = _why_alone(model, run, main)
    said += [f"no comparison: {why}"] if why and main in model.readings else []
    words = "; ".join(said)
    label = labelled(report, model.run, model.name)
    return StageLine(label, "", words, None, faint=False, model=label)


def _measured(model: Model, main: str, run: RunReport) -> str:
    """Write what a model is read for; where it lacks that, what it has."""
    if (reading := model.readings.get(main)) is not None:
        unfit = f"; {UNFIT}" if _is_unfit(main, run) else ""
        title = formatting.short_title(main)
        return f"{title} {with_interval(main, reading)} ({reading.counted}){unfit}"
    own = main_metric(_stages(model, run))
    absent = _absent(model, main, run)
    if own is None or own not in model.readings:
        return absent
    has = model.readings[own]
    return f"{formatting.short_title(own)} {with_interval(own, has)} ({has.counted}); {absent}"


def _absent(model: Model, main: str, run: RunReport) -> str:
    bases = [stage.name for stage in run.stages if stage.parent is None]
    if model.name in bases and measure(main).against in ("base", "previous"):
        return OPPONENT
    return f"{formatting.short_title(main)} {NOT_MEASURED}"


def _is_unfit(main: str, run: RunReport) -> bool:
    return measure(main).family == "win rate" and run.has_unfit_judge


def _stages(model: Model, run: RunReport) -> list[StageRecord]:
    """Return the stages behind a model: one, or one a seed."""
    over = {group.title: list(group.stages) for group in siblings(run.record)}
    of_variant = {
        variant_model(one.variant, one.stage): [run.record.stage(name) for name in one.members]
        for one in run.variants
    }
    alone = [stage for stage in run.record.measured() if stage.name == model.name]
    return of_variant.get(model.name) or over.get(model.name) or alone


def _why_alone(model: Model, run: RunReport, main: str) -> str:
    """Say why a model that was measured has no difference; "" of base, and of a judge that says it
    itself.
    """
    if _is_unfit(main, run):
        return ""
    for one in run.variants:
        if variant_model(one.variant, one.stage) == model.name:
            reference = variant_model(one.reference, one.stage)
            return f"the reference {shown_name(reference)} is not measured"
    before = run.record.before(_stages(model, run)[0])
    if before is None:
        return ""
    name = shown_name(before.name)
    if main not in before.evaluation.metrics:
        return f"{name} was not measured in it"
    return f"{name} shares no prompt with it"


def with_interval(name: str, reading: Reading) -> str:
    """Write a model's value, with its interval where it has one."""
    value = formatting.plain(name, reading.value)
    if reading.low is None or reading.high is None:
        return value
    return f"{value} {formatting.plain_interval(name, reading.low, reading.high)}"


def _known(main: str, report: Report) -> _Known:
    length = length_metric(report)
    steps = [step for run in report.runs for step in _steps(run)]
    variants = [step for run in report.runs for step in _beside_reference(run, report)]
    lengths = [] if length in (None, main) else added(report, str(length))
    return _Known(
        main=main,
        values=_values(main, report),
        win_rates=_win_rates(main, report),
        lengths={
            (row.run, row.label, row.against): _length(row, str(length))
            for row in lengths
            if row.delta is not None and not (row.is_of_variants and row.verdict not in SHOWN)
        },
        gains={
            (labelled(report, run.name, stage.name), before.name): gains(stage, before, run, main)
            for run, stage, before in steps
        }
        | {step: changed(one, "improved", main) for step, one in variants},
        losses={
            (labelled(report, run.name, stage.name), before.name): losses(stage, before, run, main)
            for run, stage, before in steps
        }
        | {step: changed(one, "regressed", main) for step, one in variants},
        asked={
            (labelled(report, run.name, stage.name), before.name)
            for run, stage, before in steps
            if asks_for_losses(stage) and not not_measured(stage)
        },
        unshown={step: unshown(one, main) for step, one in variants},
    )


def _beside_reference(
    run: RunReport, report: Report
) -> Iterator[tuple[tuple[str, str], RankedVariant]]:
    """Yield each variant with its label and the name of what it is compared with."""
    for one in run.variants:
        label = labelled(report, run.name, variant_model(one.variant, one.stage))
        yield (label, variant_model(one.reference, one.stage)), one


def _values(main: str, report: Report) -> dict[tuple[str, str], Reading]:
    """Return the main metric of every model, and of every stage behind one."""
    measured = [stage for stage in report.measured() if main in stage.evaluation.metrics]
    values = {(stage.run, stage.name): stage_reading(stage, main) for stage in measured}
    return values | {
        (model.run, model.name): model.readings[main]
        for model in models(report)
        if main in model.readings
    }


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
    """Say by how much, where the verdict says longer or shorter."""
    if row.verdict is None:
        return f"length {row.text}{formatting.unit_of(name)} {row.word}".rstrip()
    if row.verdict not in SHOWN:
        return f"length: {row.word}"
    return f"{row.verdict} by {_by_how_much(row, name)}{row.word.removeprefix(row.verdict)}"


def _by_how_much(row: Added, name: str) -> str:
    """Write the mean ratio by problem where its interval tells what the verdict tells, else the
    difference that the verdict is of.
    """
    ratio, is_shorter = row.ratio, row.verdict == "shorter"
    # equal ratios show no spread to take an interval from
    if ratio is not None and ratio.low < ratio.high and _tells(ratio, is_shorter=is_shorter):
        return f"{_percent(ratio)} per problem"
    low, high = sorted(abs(end) for end in (row.low or 0.0, row.high or 0.0))
    ends = formatting.plain_interval(name, low, high)
    return f"{formatting.size(name, abs(row.delta or 0.0))} {ends}{formatting.unit_of(name)}"


def _tells(ratio: Metric, *, is_shorter: bool) -> bool:
    return ratio.high < 1 if is_shorter else ratio.low > 1


def _percent(ratio: Metric) -> str:
    """Write by how many percent: `42% [39, 45]`."""
    value, *ends = (100 * abs(each - 1) for each in (ratio.value, ratio.low, ratio.high))
    decimals = 0 if min(ends) >= 1 else 1
    low, high = sorted(ends)
    return f"{value:.{decimals}f}% [{low:.{decimals}f}, {high:.{decimals}f}]"


def _line(row: Added, known: _Known, report: Report) -> StageLine:
    model = labelled(report, row.run, row.model)
    step = (model, row.against)
    is_whole = row.label == WHOLE_CHAIN
    said = [
        _headline(row, known),
        "" if is_whole else known.win_rates.get(model, ""),
        known.lengths.get((row.run, row.label, row.against), ""),
        known.unshown.get(step, ""),
        _gained(known.gains.get(step, [])),
        _lost(row, known.losses.get(step, []), asked=step in known.asked),
    ]
    words = "; ".join(part for part in said if part)
    subject = labelled(report, row.run, row.label)
    is_mixed = row.verdict == "improved" and bool(known.losses.get(step))
    verdict = None if is_mixed else row.verdict
    label = model if row.model else ""
    return StageLine(subject, row.beside, words, verdict, row.faint, label)


def _headline(row: Added, known: _Known) -> str:
    title = formatting.short_title(known.main)
    now = known.values.get((row.run, row.model))
    before = known.values.get((row.against_run or row.run, row.against))
    if row.delta is None:
        number = "not measured" if now is None else with_interval(known.main, now)
        return f"{title} {number}, {row.word}"
    shown = [formatting.plain(known.main, one.value) for one in (before, now) if one is not None]
    numbers = f"{' -> '.join(shown)}, " if shown else ""
    return f"{title} {numbers}{row.text} {row.word}".rstrip()


def _gained(gained: Sequence[str]) -> str:
    """Say what was gained beside the main metric."""
    return f"gained {counting.listed(gained)}" if gained else ""


def _lost(row: Added, lost: Sequence[str], *, asked: bool) -> str:
    """Say what was lost beside the main metric; that nothing was, only where it could be seen."""
    if lost:
        return f"lost {counting.listed(lost)}"
    return "lost nothing shown" if asked and row.verdict != "regressed" else ""
