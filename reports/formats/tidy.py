"""A report's numbers as rows: one for each stage and metric, each comparison, each response.

Frames and CSV are made of them. Numbers are in the metric's own unit (shares from 0 to 1); None is
what was not measured.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.measures import Unit, measure, ordered
from stagelift.evals.printed import one_line
from stagelift.evals.records import Generation, Score
from stagelift.reports.numbers.between import RunComparison
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.values import judged_values
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report, RunReport

Value = str | float | int | bool | None
# families whose values by prompt are no field of a score
_BY_PROMPT = ("win rate", "preference accuracy", "own score", "retention", "lm-eval task")
# what a spreadsheet takes for the beginning of a formula, in full width too
_FORMULA = tuple("=+-@＝＋－＠")


@dataclass(frozen=True)
class StageRow:
    """A metric of a stage with its 95% interval; `n` counts prompts, in so many `clusters`."""

    run: str
    stage: str
    kind: str
    parent: str | None
    metric: str
    unit: Unit
    better: str | None
    value: float
    low: float
    high: float
    n: int
    clusters: int | None


@dataclass(frozen=True)
class ComparisonRow:
    """A paired difference of a stage to another one, with its 95% interval and verdict.

    `against_run` is the run's own name where it is not compared with another run. Of a win rate
    within a run the difference is to one half. Lengths have the `ratio` of geometric means, too.
    """

    run: str
    stage: str
    against_run: str
    against: str
    metric: str
    unit: Unit
    difference: float
    low: float
    high: float
    n: int
    clusters: int | None
    p: float
    p_adjusted: float | None
    family: str | None
    tests: int | None
    mde: float | None
    n_needed: int | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    verdict: str


@dataclass(frozen=True)
class ProblemRow:
    """A response of a stage to a prompt, and how it was read. `values` has what else was measured
    of the prompt, by metric: verdicts of judges, pairs, documents of lm-eval's tasks.

    Documents and pairs have no response here: of them only the values are known.
    """

    run: str
    stage: str
    group: str
    prompt: str
    sample: int
    question: str | None
    target: str | None
    response: str | None
    answer: str | None
    correct: bool | None
    correct_strict: bool | None
    correct_flexible: bool | None
    outcome: str | None
    n_tokens: int | None
    n_chars: int | None
    truncated: bool | None
    cluster: str | None
    values: Mapping[str, float]


def stage_rows(report: Report) -> list[StageRow]:
    """Return a row for each metric of each stage, in the order of a report."""
    return [
        _stage_row(stage, name)
        for stage in report.measured()
        for name in ordered(stage.evaluation.metrics)
    ]


def comparison_rows(report: Report) -> list[ComparisonRow]:
    """Return a row for each comparison: within runs, then of runs with one another."""
    return [_comparison_row(comparison) for comparison in (*report.comparisons(), *report.between)]


def problem_rows(report: Report) -> list[ProblemRow]:
    """Return a row for each stage, prompt and sample."""
    return [
        row
        for run in report.runs
        for stage in run.record.measured()
        for row in _problems(stage, run)
    ]


def render_csv(report: Report) -> str:
    """Return values and differences in one table; `quantity` says which of them a row is.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    rows = [
        *map(_value_cells, stage_rows(report)),
        *map(_difference_cells, comparison_rows(report)),
    ]
    writer.writerows([_cell(row.get(column)) for column in CSV_COLUMNS] for row in rows)
    return text.getvalue()


CSV_COLUMNS = (
    "quantity",
    "run",
    "stage",
    "against_run",
    "against",
    "metric",
    "unit",
    "estimate",
    "low",
    "high",
    "n",
    "clusters",
    "p",
    "p_adjusted",
    "family",
    "tests",
    "mde",
    "n_needed",
    "verdict",
)


def _stage_row(stage: StageRecord, name: str) -> StageRow:
    metric, known = stage.evaluation.metrics[name], measure(name)
    return StageRow(
        run=stage.run,
        stage=stage.name,
        kind=stage.kind,
        parent=stage.parent,
        metric=name,
        unit=known.unit,
        better=known.better,
        value=metric.value,
        low=metric.low,
        high=metric.high,
        n=metric.n,
        clusters=metric.clusters,
    )


def _comparison_row(comparison: Comparison) -> ComparisonRow:
    ratio = comparison.ratio
    against_run = comparison.run
    if isinstance(comparison, RunComparison):
        against_run = comparison.against_run
    return ComparisonRow(
        run=comparison.run,
        stage=comparison.stage,
        against_run=against_run,
        against=comparison.against,
        metric=comparison.metric,
        unit=measure(comparison.metric).unit,
        difference=comparison.delta,
        low=comparison.low,
        high=comparison.high,
        n=comparison.n,
        clusters=comparison.difference.clusters,
        p=comparison.p,
        p_adjusted=comparison.p_adjusted,
        family=comparison.family,
        tests=comparison.tests,
        mde=comparison.mde,
        n_needed=comparison.needed,
        ratio=None if ratio is None else ratio.value,
        ratio_low=None if ratio is None else ratio.low,
        ratio_high=None if ratio is None else ratio.high,
        verdict=comparison.verdict,
    )


def _problems(stage: StageRecord, run: RunReport) -> Iterator[ProblemRow]:
    """Yield what was scored, then the prompts of which only values are known."""
    values = _values(stage, run.record)
    responses = {(one.id, one.sample): one for one in _generations(stage)}
    for score in stage.scores:
        beside = {} if score.sample else values.pop((score.group, score.id), {})
        yield _scored(stage, score, responses.get((score.id, score.sample)), beside)
    for (group, prompt), beside in values.items():
        yield _unscored(stage, group, prompt, beside)


def _generations(stage: StageRecord) -> Sequence[Generation]:
    return [*stage.generations.values(), *stage.later_samples]


def _values(stage: StageRecord, run: RunRecord) -> dict[tuple[str, str], dict[str, float]]:
    """Return what is known of each prompt beside its scores, by group and id."""
    scored = {score.id for score in stage.scores if score.group == "test"}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for name in ordered(stage.evaluation.metrics):
        known = measure(name)
        if known.family not in _BY_PROMPT:
            continue
        for prompt, value in judged_values(name, stage, run.base(stage)).items():
            # what was imported has documents and responses of one name
            group = known.group or ("test" if prompt in scored else "task")
            found.setdefault((group, prompt), {})[name] = value
    return found


def _scored(
    stage: StageRecord, score: Score, generation: Generation | None, values: Mapping[str, float]
) -> ProblemRow:
    return ProblemRow(
        run=stage.run,
        stage=stage.name,
        group=score.group,
        prompt=score.id,
        sample=score.sample,
        question=score.question,
        target=score.target,
        response=None if generation is None else generation.response,
        answer=score.answer,
        correct=score.correct,
        correct_strict=score.correct_strict,
        correct_flexible=score.correct_flexible,
        outcome=score.outcome,
        n_tokens=score.n_tokens,
        n_chars=score.n_chars,
        truncated=score.truncated,
        cluster=score.cluster,
        values=values,
    )


def _unscored(
    stage: StageRecord, group: str, prompt: str, values: Mapping[str, float]
) -> ProblemRow:
    return ProblemRow(
        run=stage.run,
        stage=stage.name,
        group=group,
        prompt=prompt,
        sample=0,
        question=None,
        target=None,
        response=None,
        answer=None,
        correct=None,
        correct_strict=None,
        correct_flexible=None,
        outcome=None,
        n_tokens=None,
        n_chars=None,
        truncated=None,
        cluster=None,
        values=values,
    )


def _value_cells(row: StageRow) -> dict[str, Value]:
    return {**vars(row), "quantity": "value", "estimate": row.value}


def _difference_cells(row: ComparisonRow) -> dict[str, Value]:
    return {**vars(row), "quantity": "difference", "estimate": row.difference}


def _cell(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
