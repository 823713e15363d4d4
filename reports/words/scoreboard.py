"""The scoreboard: accuracy, win rate and length of every model, and what each stage added.

Terminal, page and Markdown draw it, each in its own way. Every number stands in the report already.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from stagelift.evals.metrics.measures import Unit, measure
from stagelift.evals.records import Metric
from stagelift.reports.numbers.headline import is_accuracy_again, main_metric, main_win_rate
from stagelift.reports.numbers.seeds import siblings
from stagelift.reports.numbers.variants import RankedVariant
from stagelift.reports.numbers.verdicts import Decision
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import formatting
from stagelift.reports.words.added import Added, added, marked_verdict, variant_model

UNFIT = "judge not fit to decide: no verdict"
NOT_MEASURED, OPPONENT = "not measured", "the opponent"
# of preference accuracy, in which base is set against itself
HALF_IN_WORDS = "50% by construction"
ACCURACY_AGAIN = "accuracy and brevity again: the judge knows the targets"
_LENGTHS = ("length_tokens", "length_chars")
_ADDED_IN: dict[Unit, str] = {"share": "points"}


@dataclass(frozen=True)
class Reading:
    """A value of a model in one metric, over so many prompts or seeds (`counted`).

    An interval is None where there is none, as over two seeds or of one batch.
    """

    value: float
    low: float | None
    high: float | None
    counted: str


@dataclass(frozen=True)
class Model:
    """A row of the panels: a stage, a stage over its seeds, or a variant at a stage; `name` within
    its run.
    """

    run: str
    name: str
    readings: Mapping[str, Reading]


@dataclass(frozen=True)
class Measured:
    """What a panel says of one model: numbers are None where it was not measured.

    A win rate is a difference already, so that it may have a verdict, and `word` writes it.
    """

    run: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    verdict: Decision | None = None
    word: str = ""


@dataclass(frozen=True)
class Panel:
    """One metric of every model. `counted` says over what, `center` is where a win rate says
    nothing, and `note` what keeps a reader from relying on it.
    """

    metric: str
    title: str
    reading: str
    counted: str
    unit: Unit
    bounds: tuple[float, float] | None
    center: float | None
    rows: tuple[Measured, ...]
    note: str = ""


@dataclass(frozen=True)
class Forest:
    """What was added in one metric, row by row, around zero; `counted` as in a panel."""

    metric: str
    title: str
    counted: str
    unit: Unit
    rows: tuple[Added, ...]


@dataclass(frozen=True)
class Scoreboard:
    """What a report shows first; a metric that nobody measured has no panel."""

    panels: tuple[Panel, ...]
    forests: tuple[Forest, ...]


def scoreboard(report: Report) -> Scoreboard:
    """Return the panels of the main metric, the win rate and the length, and what was added to the
    first and the last.
    """
    rows = models(report)
    main, length = main_metric(report.measured()), length_metric(report)
    rate = main_win_rate(name for row in rows for name in row.readings)
    names = dict.fromkeys((main, rate, length))
    panels = [_panel(name, rows, report) for name in names if name is not None]
    forests = [_forest(name, report) for name in dict.fromkeys((main, length)) if name is not None]
    return Scoreboard(
        tuple(panel for panel in panels if any(row.value is not None for row in panel.rows)),
        tuple(forest for forest in forests if any(row.delta is not None for row in forest.rows)),
    )


def length_metric(report: Report) -> str | None:
    """Name what lengths are compared in: tokens, unless a stage's are known in characters only."""
    stages = [stage.evaluation.metrics for stage in report.measured()]
    known = [metrics for metrics in stages if any(name in metrics for name in _LENGTHS)]
    shared = (name for name in _LENGTHS if all(name in metrics for metrics in known))
    return next(shared, None) if known else None


def models(report: Report) -> list[Model]:
    """Return the rows of the panels, run by run."""
    return [model for run in report.runs for model in _of_run(run)]


def by_importance(report: Report) -> list[str]:
    """Label the rows of variants, and put first those to keep where there is no room for all: the
    last stage's, then what is no variant, then earlier stages'. Empty where there are none.
    """
    places = {
        (run.name, variant_model(one.variant, one.stage)): one.stage
        for run in report.runs
        for one in run.variants
    }
    if not places:
        return []
    last = list(dict.fromkeys(places.values()))[::-1]
    order: list[str | None] = [*last[:1], None, *last[1:]]
    rows = sorted(models(report), key=lambda row: order.index(places.get((row.run, row.name))))
    return [labelled(report, row.run, row.name) for row in rows]


def labelled(report: Report, run: str, name: str) -> str:
    """Name a row, with its run where there are several."""
    return name if len(report.runs) == 1 else f"{run}/{name}"


def _of_run(run: RunReport) -> Iterator[Model]:
    """Stages in their order, of several seeds as one, and the variants after them."""
    titles = {stage.name: group.title for group in siblings(run.record) for stage in group.stages}
    named: dict[str, Model] = {}
    for stage in run.record.measured():
        title = titles.get(stage.name)
        named[stage.name] = _stage(stage) if title is None else _over_seeds(title, run)
    variants = {name for variant in run.variants for name in variant.members}
    alone = {model.name: model for name, model in named.items() if name not in variants}
    yield from alone.values()
    for variant in run.variants:
        # what variants are not ranked by is what their stage was measured as
        readings = named[variant.members[0]].readings
        model = _variant(variant)
        yield replace(model, readings={**readings, **model.readings})


def _stage(stage: StageRecord) -> Model:
    metrics = stage.evaluation.metrics
    readings = {name: stage_reading(stage, name) for name in metrics}
    return Model(stage.run, stage.name, readings)


def stage_reading(stage: StageRecord, name: str) -> Reading:
    """Return the value of a stage in a metric that it has."""
    metric = stage.evaluation.metrics[name]
    return _reading(name, metric, _prompts(metric.n, stage.clusters(name)))


def _prompts(n: int, clusters: Mapping[str, str]) -> str:
    return formatting.counted(n, len({*clusters.values()}))


def _reading(name: str, metric: Metric, counted: str) -> Reading:
    if not formatting.has_interval(name, metric):
        return Reading(metric.value, None, None, counted)
    return Reading(metric.value, metric.low, metric.high, counted)


def _variant(variant: RankedVariant) -> Model:
    seeds = len(variant.members)
    readings = {
        name: _reading(name, value, f"{seeds} seeds" if 1 < value.n == seeds else f"n={value.n}")
        for name, value in variant.values.items()
    }
    return Model(variant.run, variant_model(variant.variant, variant.stage), readings)


def _over_seeds(title: str, run: RunReport) -> Model:
    readings = {
        one.metric: Reading(one.value, one.low, one.high, f"{len(one.seeds)} seeds")
        for one in run.seeds
        if one.stage == title and one.against is None
    }
    return Model(run.name, title, readings)


def _panel(name: str, rows: Iterable[Model], report: Report) -> Panel:
    known, rows = measure(name), list(rows)
    counts = dict.fromkeys(row.readings[name].counted for row in rows if name in row.readings)
    is_rate = known.against is not None
    return Panel(
        metric=name,
        title=known.title,
        reading=known.reading,
        counted=" / ".join(counts),
        unit=known.unit,
        bounds=known.bounds,
        center=0.5 if is_rate else None,
        rows=tuple(_measured(name, row, report) for row in rows),
        note=_note(name, report),
    )


def _note(name: str, report: Report) -> str:
    if measure(name).family != "win rate":
        return ""
    if any(run.has_unfit_judge for run in report.runs):
        return UNFIT
    is_again = any(is_accuracy_again(name, stage) for stage in report.stages())
    return ACCURACY_AGAIN if is_again else ""


def _measured(name: str, row: Model, report: Report) -> Measured:
    label, reading = labelled(report, row.run, row.name), row.readings.get(name)
    if reading is None:
        return Measured(row.run, label, None, None, None, absent(name, row, report))
    low, high = reading.low, reading.high
    text = formatting.plain(name, reading.value)
    if low is not None and high is not None:
        text = f"{text} {formatting.plain_interval(name, low, high)}"
    measured = Measured(row.run, label, reading.value, low, high, text)
    return _with_verdict(measured, name, row, report)


def absent(name: str, row: Model, report: Report) -> str:
    """Say why a model has no value in a metric: the others may be measured against it."""
    stages = [stage for stage in report.stages() if (stage.run, stage.name) == (row.run, row.name)]
    if not any(stage.parent is None for stage in stages):
        return NOT_MEASURED
    if measure(name).family == "preference accuracy":
        return HALF_IN_WORDS
    return OPPONENT if measure(name).against in ("base", "previous") else NOT_MEASURED


def _with_verdict(measured: Measured, name: str, row: Model, report: Report) -> Measured:
    """Add a win rate's verdict, where it is of a stage and its judge is fit to decide."""
    run = next(run for run in report.runs if run.name == row.run)
    stage = next((one for one in run.record.measured() if one.name == row.name), None)
    known = measure(name)
    is_judged = known.family == "win rate" and run.has_unfit_judge
    if known.against is None or stage is None or is_judged:
        return measured
    opponent = run.record.opponent(stage, name)
    found = run.find(name, stage, "reference" if opponent is None else opponent.name)
    if found is None:
        return measured
    return replace(measured, verdict=found.verdict, word=marked_verdict(found))


def _forest(name: str, report: Report) -> Forest:
    known = measure(name)
    rows = [replace(row, label=labelled(report, row.run, row.label)) for row in added(report, name)]
    unit = _ADDED_IN.get(known.unit, known.unit)
    title = f"added to {formatting.short_title(name)}, {unit}"
    if any(run.variants for run in report.runs):
        title = f"{formatting.short_title(name)} beside the reference, {unit}"
        if any(row.delta is not None and not row.is_of_variants for row in rows):
            # stages that the variants share are held against the stage before them
            title = f"differences in {formatting.short_title(name)}, {unit}"
    counts = dict.fromkeys(row.counted for row in rows if row.counted)
    return Forest(name, title, " / ".join(counts), known.unit, tuple(rows))
