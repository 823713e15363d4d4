"""What a name in a check stands for: a blessed baseline, a run, or a report.json."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from stagelift.evals.nearest import did_you_mean
from stagelift.harness.agreeing import read_agreeing_run
from stagelift.harness.checks.baselines import (
    Baseline,
    baseline_names,
    history,
    parse_baseline,
    read_baseline,
    read_side,
)
from stagelift.harness.errors import UsageError
from stagelift.reports.folders import RunFolder, RunsFolder
from stagelift.reports.gates.recipe_scores import recipe_scores
from stagelift.reports.gates.scores import StageScores, stage_scores
from stagelift.reports.gates.sound import refuse_unsound
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.numbers.seeds import stages_by_seed, without_seed
from stagelift.reports.records import ChainRecord, RunRecord


@dataclass(frozen=True)
class Source:
    """What a name holds: stages that have a result, all that were planned, and the scores of each.

    What was trained with several seeds is one stage, and `trainings` names what it is made of: each
    can be asked for by itself. `has_last` says whether one stage is the end of all the others:
    variants have none, a lattice has, the full chain. `exports` are what stages are deployed as, of
    which none is the last. `recipe` is its recipe's file, None where there is none.
    """

    where: str
    evaluated: list[str]
    missing: list[str]
    trainings: list[str]
    has_last: bool
    recipe: Path | None
    scores: Callable[[str], StageScores]
    exports: tuple[str, ...] = ()

    @property
    def planned(self) -> list[str]:
        """All stages, those without a result last."""
        return [*self.evaluated, *self.missing]

    def has(self, stage: str) -> bool:
        """Say whether there is a result of a stage, of one training of it, or of an export."""
        return stage in (*self.evaluated, *self.trainings, *self.exports)


def open_source(
    name: str, runs: Path, baselines: Path | None, *, responses: bool = False
) -> Baseline | Source:
    """Look up a blessed baseline (if `baselines` is given), then a file, then a run.

    Raises UsageError where there is no such thing, ValueError where it cannot be read, and
    NothingEvaluatedError where it is a run without results.
    """
    files = [] if baselines is None else history(baselines, name)
    if files:
        return read_baseline(files[-1])
    path = Path(name)
    if path.is_file():
        content = read_side(path)
        if "scores" in content:
            return parse_baseline(content, path)
        return _report_source(content, path)
    folder = run_folder(name, runs)
    if not folder.is_run():
        raise _no_such_side(name, runs, baselines)
    return _run_source(name, folder, responses=responses)


def run_folder(name: str, runs: Path) -> RunFolder:
    """Find a run by folder or name."""
    if RunFolder(Path(name)).is_run():
        return RunFolder(Path(name).resolve())
    return RunFolder(runs / name)


def _run_source(name: str, folder: RunFolder, *, responses: bool) -> Source:
    run = read_agreeing_run(folder.path)

    def scores(stage: str) -> StageScores:
        _refuse_twice(run, stage)
        found = stage_scores(run.stage(stage), run, run_passport(run), responses=responses)
        refuse_unsound(found, f"{name}/{stage}")
        return found

    names = [stage.name for stage in run.stages]
    source = _source(name, names, run.missing, run.chains, folder.recipe, scores)
    return replace(source, exports=tuple(export.name for export in run.exports))


def _source(
    where: str,
    evaluated: Sequence[str],
    missing: Sequence[str],
    chains: Sequence[ChainRecord],
    recipe: Path | None,
    scores: Callable[[str], StageScores],
) -> Source:
    """Join what was trained with several seeds: it is one stage of the recipe."""
    groups = stages_by_seed(chains)
    titles = {name: title for title, by_seed in groups.items() for name in by_seed.values()}
    without_result = list(dict.fromkeys(map(without_seed, missing)))
    stages = dict.fromkeys(titles.get(name, name) for name in evaluated)
    with_result = [stage for stage in stages if stage not in without_result]
    has_last = _have_last(chains, missing)

    def joined(stage: str) -> StageScores:
        if stage in groups:
            by_seed = {seed: scores(name) for seed, name in groups[stage].items()}
            found = recipe_scores(stage, by_seed)
        else:
            found = scores(stage)
        planned = (*with_result, *without_result) if has_last else ()
        return found.model_copy(update={"stages": planned})

    return Source(
        where=where,
        evaluated=with_result,
        missing=without_result,
        trainings=[name for name in evaluated if name in titles],
        has_last=has_last,
        recipe=recipe,
        scores=joined,
    )


def _have_last(chains: Sequence[ChainRecord], missing: Sequence[str]) -> bool:
    """Say whether all chains are of one recipe that ends in one stage: a lattice does where it is
    whole.
    """
    paths = {tuple(chain.stages) for chain in chains if chain.complete}
    is_lattice = len(paths) > 1
    return len({chain.variant for chain in chains}) <= 1 and not (is_lattice and missing)


def _refuse_twice(run: RunRecord, stage: str) -> None:
    seen = set[tuple[str, str, int]]()
    for score in run.stage(stage).scores:
        place = (score.group, score.id, score.sample)
        if place in seen:
            raise ValueError(
                f"Stage '{stage}' of run '{run.name}' has two scores of problem {score.id!r}. "
                "Evaluate it again."
            )
        seen.add(place)


def _no_such_side(name: str, runs: Path, baselines: Path | None) -> UsageError:
    known = [run.name for run in RunsFolder(runs).runs()]
    listed = shlex.join(["stagelift", "runs", *RunsFolder(runs).option])
    places, lists = f"neither a run in {runs} nor a file", [f"`{listed}` lists the runs."]
    if baselines is not None:
        known += baseline_names(baselines)
        places = f"neither a run in {runs}, nor a baseline in {baselines}, nor a file"
        lists.append("`stagelift baseline show` lists the baselines.")
    return UsageError(f"'{name}' is {places}.{did_you_mean(name, known)} {' '.join(lists)}")


class _Chain(BaseModel):
    variant: str = ""
    seed: int
    stages: dict[str, str] = {}
    complete: bool = True


class _Run(BaseModel):
    name: str
    contract_id: str
    contract: dict[str, Any]
    chains: list[_Chain] = []
    missing_stages: list[str] = []


class _Stage(BaseModel):
    name: str
    scores: dict[str, Any] | None = None


class _Report(BaseModel):
    """What a check reads of a report.json."""

    runs: list[_Run]
    stages: list[_Stage] = Field(min_length=1)
    exports: list[_Stage] = []


def _report_source(content: dict[str, Any], path: Path) -> Source:
    if "stages" not in content:
        raise UsageError(f"{path} is neither a report.json nor a baseline of stagelift.")
    try:
        report = _Report.model_validate(content)
    except ValidationError as error:
        raise _no_whole_report(path, error) from error
    if len(report.runs) != 1:
        raise UsageError(
            f"{path} is a report of {len(report.runs)} runs. Report the one that is meant by "
            "itself."
        )
    (run,) = report.runs
    evaluated = [stage.name for stage in report.stages]
    if len({*evaluated}) < len(evaluated):
        raise UsageError(f"{path} has two stages of one name. Report the run again.")
    chains = [ChainRecord(**chain.model_dump()) for chain in run.chains]
    source = _source(
        str(path),
        evaluated,
        run.missing_stages,
        chains,
        None,
        lambda stage: _reported_scores(report, path, stage),
    )
    return replace(source, exports=tuple(export.name for export in report.exports))


def _reported_scores(report: _Report, path: Path, name: str) -> StageScores:
    (run,) = report.runs
    stage = next(stage for stage in (*report.stages, *report.exports) if stage.name == name)
    if stage.scores is None:
        raise UsageError(
            f"{path} was written by an earlier stagelift, without scores by problem. Report the "
            "run again."
        )
    of_the_run = {
        "run": run.name,
        "stage": name,
        "contract_id": run.contract_id,
        "contract": run.contract,
    }
    try:
        scores = StageScores.model_validate(stage.scores | of_the_run)
    except ValidationError as error:
        raise _no_whole_report(path, error) from error
    refuse_unsound(scores, str(path))
    return scores


def _no_whole_report(path: Path, error: ValidationError) -> UsageError:
    place = ".".join(map(str, error.errors()[0]["loc"]))
    return UsageError(
        f"{path} is no whole report of stagelift: {place} is missing or is not what it should be. "
        "Report the run again."
    )
