"""Which stage of each side a check compares, and what the baseline declares."""

from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.nearest import did_you_mean
from stagelift.harness.checks.baselines import Baseline
from stagelift.harness.checks.margins import recipe_margins
from stagelift.harness.checks.sources import Source, open_source
from stagelift.harness.errors import UsageError
from stagelift.reports.gates.margins import Margin, in_tiers, read_margins, read_tiers
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.numbers.seeds import without_seed
from stagelift.reports.records import NothingEvaluatedError


@dataclass(frozen=True)
class BaselineSide:
    """A baseline's scores, the margins that it declares (maybe none), and what must be said of
    it.
    """

    scores: StageScores
    margins: list[Margin]
    notes: tuple[str, ...] = ()


def load_baseline(
    name: str,
    runs: Path,
    stage: str | None,
    *,
    baselines: Path | None = None,
    responses: bool = False,
) -> BaselineSide:
    """Read what is checked against: a blessed baseline (if `baselines` is given), a file, or a run.

    Of a run `stage` is meant, without it the last one. Raises UsageError where there is no such
    thing, ValueError where it cannot be read.
    """
    source = open_source(name, runs, baselines, responses=responses)
    if isinstance(source, Baseline):
        return _declared(source)
    wanted = _last(source) if stage is None else stage
    _refuse_unknown(source, wanted)
    if not source.has(wanted):
        raise UsageError(
            f"Stage '{wanted}' of '{name}' has no result yet{_of_every_seed(source, wanted)}. Go "
            f"on with the run, or name another with --stage: {_named(source)}."
        )
    scores = source.scores(wanted)
    return BaselineSide(scores, recipe_margins(source.recipe, scores))


def load_candidate(
    name: str, runs: Path, stage: str | None, baseline: StageScores
) -> tuple[StageScores, tuple[str, ...]]:
    """Read the stage of a candidate that a baseline requires, or `stage`, and what must be said
    of that choice.

    Raises NotComparableError where it has no result, else as `load_baseline`.
    """
    try:
        source = open_source(name, runs, None)
    except NothingEvaluatedError as error:
        raise NotComparableError("stage", f"Not comparable: {error}") from None
    if isinstance(source, Baseline):
        _refuse_other_stage(source.scores, stage or baseline.stage, name)
        return source.scores, ()
    if stage is not None:
        _refuse_unknown(source, stage)
    wanted = stage or _required(source, baseline)
    if not source.has(wanted):
        raise NotComparableError(
            "stage",
            f"Not comparable: the candidate '{name}' has no result of stage '{wanted}'"
            f"{_of_every_seed(source, wanted)}. It has: {_named(source)}. Go on with the run, or "
            "name the stage that is meant with --stage.",
        )
    return source.scores(wanted), _stage_notes(source, wanted, baseline)


def _declared(blessed: Baseline) -> BaselineSide:
    if blessed.format is None:
        note = (
            "The baseline was written by an earlier stagelift: it declares no gates, and has no "
            "hash to show that it was not edited. Bless it again with: stagelift baseline set FILE"
        )
        return BaselineSide(blessed.scores, [], (note,))
    margins = read_margins(blessed.gates, given_by="baseline")
    return BaselineSide(blessed.scores, in_tiers(margins, read_tiers(blessed.tiers)))


def _last(source: Source) -> str:
    if not source.has_last:
        raise UsageError(
            f"'{source.where}' has several chains, each a recipe of its own, so name the stage "
            f"that is meant with --stage. It has: {', '.join(source.evaluated)}."
        )
    return source.planned[-1]


def _refuse_unknown(source: Source, stage: str) -> None:
    known = [*source.planned, *source.trainings, *source.exports]
    if stage not in known:
        raise UsageError(
            f"'{source.where}' has no stage '{stage}'. It has: {', '.join(known)}."
            f"{did_you_mean(stage, known)}"
        )


def _named(source: Source) -> str:
    return ", ".join([*source.evaluated, *source.trainings, *source.exports])


def _of_every_seed(source: Source, stage: str) -> str:
    """Say that it is some seeds whose result is missing, where it is."""
    trained = [name for name in source.trainings if without_seed(name) == stage]
    return " of every seed" if trained else ""


def _required(source: Source, baseline: StageScores) -> str:
    """Return the stage that a baseline requires.

    Where that was the last one of its run, a candidate that goes on to another is not what it was.
    A run of a single stage, such as an import, is called as its model is.
    """
    planned = source.planned
    if not baseline.stages or baseline.stage != baseline.stages[-1] or not source.has_last:
        return baseline.stage
    if len(planned) == len(baseline.stages) == 1:
        return planned[0]
    if baseline.stage in planned and planned[-1] != baseline.stage:
        raise NotComparableError(
            "stage",
            f"Not comparable: the baseline is of its last stage, '{baseline.stage}', and the last "
            f"stage of the candidate '{source.where}' is '{planned[-1]}'. Name the one that is "
            "meant with --stage.",
        )
    return baseline.stage


def _stage_notes(source: Source, stage: str, baseline: StageScores) -> tuple[str, ...]:
    planned = source.planned
    if stage != baseline.stage and len(planned) > 1:
        return (f"Stage '{stage}' is compared with the baseline's stage '{baseline.stage}'.",)
    if source.has_last and planned[-1] != stage and stage not in source.exports:
        return (f"The candidate goes on to stage '{planned[-1]}', which this says nothing of.",)
    return ()


def _refuse_other_stage(scores: StageScores, wanted: str, name: str) -> None:
    if scores.stage != wanted:
        raise NotComparableError(
            "stage",
            f"Not comparable: '{name}' holds scores of stage '{scores.stage}', and '{wanted}' is "
            "required.",
        )
