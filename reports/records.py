"""A run read back from disk: what was trained, what was measured, problem by problem.

All a report needs, and no torch.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from math import isclose
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any

from stagelift.evals.contract import first_difference, in_words
from stagelift.evals.folders import REMEDY as ANEW
from stagelift.evals.folders import EvaluationFolder, StoredEvaluation
from stagelift.evals.hashes import MISSING, WAS_FINISHED, Damage, DamagedError
from stagelift.evals.metrics.clusters import clusters_of
from stagelift.evals.metrics.measures import measure, win_rate_name
from stagelift.evals.metrics.preference_accuracy import NAMES as PREFERENCE_ACCURACIES
from stagelift.evals.metrics.preference_accuracy import pair_values
from stagelift.evals.metrics.retention import likelihood_clusters, likelihood_values
from stagelift.evals.metrics.timing import SECONDS_PER_RESPONSE, seconds_by_batch, timing_metrics
from stagelift.evals.records import (
    EvalResult,
    Generation,
    PairScore,
    Score,
    Verdict,
    Vote,
)
from stagelift.evals.votes.draw import Responses, ballots
from stagelift.evals.votes.voted import Voted, voted
from stagelift.reports.contradictions import REMEDY, refuse_contradictions
from stagelift.reports.folders import RunFolder, RunsFolder
from stagelift.reports.run_file import RunChain, RunFile, RunStage, StageSource
from stagelift.stages.folders import NodeFolder
from stagelift.stages.records import EXPORT, ExportResult, Measured, StageResult


class NothingEvaluatedError(ValueError):
    """A run has begun, but none of its stages is evaluated yet."""


@dataclass(frozen=True)
class StageRecord:
    """One stage of a run; base has no `training`.

    `parent` names the stage before, which it was trained on; `merged` those whose adapters are
    merged into the weights under its own. `weights` names the stage whose weights these are, where
    that is not base; `given` says what a checkpoint is, empty for other stages. What its `parent`
    is deployed as is an export, `exported` says what that took. `identity` is what
    its node is (of base the weights, of a trained stage its data, arguments, LoRA settings and
    seed), empty where that is not stored.

    `scores` has every sample; `generations` the first one of each prompt, by id, `later_samples`
    the others. `verdicts` are keyed by the win rate they make (`win_rate_base`) and prompt id,
    `pairs` by id, `stored_values` by metric: what lm-eval measured by document, what was timed by
    batch, and what the retention suite read off log-probabilities, with the cluster of each of its
    rows in `stored_clusters`. `adapter` is where the trained adapter lies, from the folder of
    all runs on, None where the node has none. `source` is the file that an imported stage is from.
    `voted` is what people's `votes` make of a win rate, by the win rate.
    """

    run: str
    name: str
    kind: str
    parent: str | None
    identity: dict[str, Any]
    training: StageResult | None
    evaluation: EvalResult
    scores: list[Score]
    generations: dict[str, Generation]
    verdicts: dict[str, dict[str, Verdict]]
    pairs: dict[str, PairScore]
    stored_values: dict[str, dict[str, float]]
    stored_clusters: dict[str, str] = field(default_factory=dict)
    merged: tuple[str, ...] = ()
    source: StageSource | None = None
    weights: str | None = None
    given: str = ""
    votes: list[Vote] = field(default_factory=list)
    voted: dict[str, Voted] = field(default_factory=dict)
    later_samples: tuple[Generation, ...] = ()
    exported: ExportResult | None = None
    adapter: str | None = None

    def first_scores(self) -> dict[str, Score]:
        """Return the score of each prompt's first sample, by id."""
        return {score.id: score for score in self.scores if score.sample == 0}

    def responses(self) -> Responses:
        """Return what the stage answered, with the questions, by prompt id."""
        return Responses(self.first_scores(), self.generations)

    def clusters(self, metric: str) -> dict[str, str]:
        """Return what the prompts behind a metric come in, by prompt id.

        Empty where each stands alone, and for what is not measured by prompt.
        """
        known = measure(metric)
        if known.family == "time":
            return {}
        if known.group in ("choices", "passages"):
            return {row: self.stored_clusters[row] for row in self.stored_values.get(metric, {})}
        return clusters_of(score for score in self.scores if score.group == known.group)


@dataclass(frozen=True)
class ChainRecord:
    """One of several chains of a run: its variant, its training seed, and its stages by slot.

    The variant is "" where there are none.

    `complete` says whether all of its stages are evaluated; the others are left out. A slot is what
    a stage is called in every chain (`sft`), the stage of the run in it may be called `r=4/sft`.
    """

    variant: str
    seed: int
    stages: dict[str, str]
    complete: bool = True


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint of a training: after how many steps, and what it did on validation problems."""

    step: int
    stage: StageRecord


@dataclass(frozen=True)
class TrajectoryRecord:
    """The checkpoints that a stage was selected among by a `metric`, by step.

    `base` was asked the same validation problems. `left_out` says why folders are not among them.
    `selected` is what was written down, None where nothing is selected yet.
    """

    metric: str
    base: StageRecord
    checkpoints: list[CheckpointRecord]
    left_out: dict[str, str]
    selected: int | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run with the stages that have been evaluated so far, each after its parent.

    `missing` names the others. `recipe` is the text of recipe.yaml, "" where there is none
    (imported). `base_model` is the Hub's name of the base, or of the model it derives from, and
    `base_revision` its commit: `harness.outputs` adds them, None where not known.

    A run that asked for more than one chain is a study: it has `chains` (what is evaluated of
    them), maybe `repeats`, which are stages measured once more, and of variants the `reference`. In
    a `lattice` the chains are the subsets of stages. `notes` say what an import left out,
    `repairs` what was damaged and made again.
    `trajectories` are those of stages that were selected among checkpoints, by the stage's name.
    `exports` are what stages are deployed as, measured beside them; `missing_exports` names those
    that are not evaluated.
    """

    name: str
    model: str
    data: str
    device: str
    versions: dict[str, str]
    contract_id: str
    contract: dict[str, Any]
    wall_clock_seconds: float
    sittings: int
    stages: list[StageRecord]
    missing: list[str]
    recipe: str = ""
    base_model: str | None = None
    base_revision: str | None = None
    chains: tuple[ChainRecord, ...] = ()
    lattice: bool = False
    reference: str | None = None
    repeats: tuple[StageRecord, ...] = ()
    notes: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    trajectories: dict[str, TrajectoryRecord] = field(default_factory=dict)
    exports: tuple[StageRecord, ...] = ()
    missing_exports: tuple[str, ...] = ()

    def stage(self, name: str) -> StageRecord:
        """Return the stage, or the export, of this name."""
        return next(stage for stage in (*self.stages, *self.exports) if stage.name == name)

    def measured(self) -> list[StageRecord]:
        """Return all stages, each with its exports after it."""
        return [
            each
            for stage in self.stages
            for each in (stage, *(one for one in self.exports if one.parent == stage.name))
        ]

    def before(self, stage: StageRecord) -> StageRecord | None:
        """Return the stage that a stage was trained on; None for base."""
        if stage.parent is None:
            return None
        return self.stage(stage.parent)

    def opponent(self, stage: StageRecord, win_rate: str) -> StageRecord | None:
        """Return the stage that a win rate is against; None where it is not of this run."""
        match measure(win_rate).against:
            case "base":
                return self.base(stage)
            case "previous":
                return self.before(stage)
            case _:
                return None

    def chain(self, stage: StageRecord) -> list[StageRecord]:
        """Return the stages from base to this one."""
        before = self.before(stage)
        if before is None:
            return [stage]
        return [*self.chain(before), stage]

    def base(self, stage: StageRecord) -> StageRecord:
        """Return the base that a stage was trained from; base's own is itself."""
        return self.chain(stage)[0]

    def weights(self, stage: StageRecord) -> StageRecord:
        """Return the stage whose weights lie under the adapters of a stage, mostly base."""
        return self.base(stage) if stage.weights is None else self.stage(stage.weights)

    def path(self, stage: StageRecord) -> list[str]:
        """Return the kinds that were trained to reach a stage, in order; empty for base."""
        return [trained.kind for trained in self.chain(stage)[1:]]

    def steps(self) -> list[tuple[StageRecord, StageRecord]]:
        """Return every stage that has one before it, as (before, stage)."""
        pairs = [(self.before(stage), stage) for stage in self.stages]
        return [(before, stage) for before, stage in pairs if before is not None]


def read_run(path: Path) -> RunRecord:
    """Read a run folder.

    Raises ValueError, in a sentence, where it is none or cannot be read, and NothingEvaluatedError
    where nothing in it is evaluated yet.
    """
    folder = RunFolder(path)
    folder.check_is_run()
    try:
        return _read_run(folder)
    except DamagedError as error:
        raise DamagedError(error.damages, folder.what_else()) from error


def _read_run(folder: RunFolder) -> RunRecord:
    run = folder.read()
    done = [
        stage for stage in run.stages if _evaluation(stage.evaluation, folder.runs).is_complete()
    ]
    missing = [stage for stage in run.stages if stage not in done]
    if run.finished and missing:
        raise DamagedError([_lost(stage, folder.runs) for stage in missing], ANEW)
    if not done:
        raise NothingEvaluatedError(
            f"Run '{run.name}' has no evaluated stage yet. `stagelift run` goes on with it."
        )
    _refuse_gaps(run.name, done)
    measured = {stage.name: _read_stage(run.name, stage, folder.runs) for stage in done}
    _refuse_unequal_prompts(run.name, list(measured.values()))
    stages = {name: stage for name, stage in measured.items() if stage.kind != EXPORT}
    first = next(iter(stages.values())).evaluation
    record = RunRecord(
        name=run.name,
        model=run.model,
        data=run.data,
        device=run.device,
        versions=run.versions,
        contract_id=first.contract_id,
        contract=first.contract,
        wall_clock_seconds=sum(sitting.seconds for sitting in run.sessions),
        sittings=len(run.sessions),
        stages=list(stages.values()),
        missing=[stage.name for stage in missing if stage.kind != EXPORT],
        recipe=folder.read_recipe(),
        chains=tuple(_chain(chain, stages) for chain in run.chains),
        lattice=run.lattice,
        reference=run.reference,
        repeats=tuple(_read_repeats(run, stages, folder)),
        notes=run.notes,
        repairs=run.repairs,
        trajectories=dict(_read_trajectories(run.name, done, folder)),
        exports=tuple(stage for stage in measured.values() if stage.kind == EXPORT),
        missing_exports=tuple(stage.name for stage in missing if stage.kind == EXPORT),
    )
    for stage in record.measured():
        _refuse_other_pairs(stage, record.base(stage))
        _refuse_other_responses(stage, record)
    return record


def _evaluation(place: str, runs: RunsFolder) -> EvaluationFolder:
    return EvaluationFolder(runs.root / place)


def _lost(stage: RunStage, runs: RunsFolder) -> Damage:
    result = _evaluation(stage.evaluation, runs).result
    return Damage(result, f"{MISSING}, {WAS_FINISHED}")


def _refuse_gaps(run: str, done: Sequence[RunStage]) -> None:
    present = {None, *(stage.name for stage in done)}
    gap = next((stage.parent for stage in done if stage.parent not in present), None)
    if gap is not None:
        raise ValueError(
            f"Stage '{gap}' of run '{run}' is not evaluated, but later ones are, which were "
            "compared with it. `stagelift run` evaluates it again."
        )


def _refuse_unequal_prompts(run: str, stages: Sequence[StageRecord]) -> None:
    """Stages of one contract were asked the same, with the same targets."""
    first, *others = stages
    for stage in others:
        if stage.evaluation.contract_id != first.evaluation.contract_id:
            continue
        shared = _shared_metrics(first, stage)
        differing = sorted(_asked(first, shared) ^ _asked(stage, shared), key=str)
        if differing:
            raise ValueError(
                f"Stages '{first.name}' and '{stage.name}' of run '{run}' have one contract, but "
                f"were not asked the same: they differ in '{differing[0][1]}'. {REMEDY}"
            )


def _refuse_other_pairs(stage: StageRecord, base: StageRecord) -> None:
    """Preference accuracy is made of two stages' pairs: it can be checked here only."""
    for name in PREFERENCE_ACCURACIES:
        told = stage.evaluation.metrics.get(name)
        if told is None or stage.pairs.keys() - base.pairs.keys():
            continue
        found = fmean(pair_values(list(stage.pairs.values()), base.pairs, name).values())
        if not isclose(told.value, found, abs_tol=1e-9):
            raise ValueError(
                f"The result of stage '{stage.name}' says {name} is {told.value:.6g}, and its "
                f"pairs and base's give {found:.6g}. {REMEDY}"
            )


def _refuse_other_responses(stage: StageRecord, run: RunRecord) -> None:
    """People's votes are of two stages' responses, which must still be the same."""
    for name, verdicts in stage.verdicts.items():
        opponent = run.opponent(stage, name)
        votes = [vote for vote in stage.votes if _win_rate_of(vote) == name]
        if opponent is None:
            continue
        for seed in {vote.seed for vote in votes}:
            shown = ballots(verdicts, stage.responses(), opponent.responses(), seed)
            names = {ballot.prompt: ballot.shown.name for ballot in shown}
            for vote in votes:
                if vote.seed == seed and names.get(vote.id, vote.pair) != vote.pair:
                    raise ValueError(
                        f"A vote on '{vote.id}' of stage '{stage.name}' in run '{run.name}' is of "
                        f"other responses than these. {REMEDY}"
                    )


def _win_rate_of(row: Verdict | Vote) -> str:
    return win_rate_name(row.against, row.group)


def _shared_metrics(stage: StageRecord, other: StageRecord) -> Set[str]:
    """Name what both must have measured by document. Of imported stages one may lack a metric,
    which then is compared with none.
    """
    if stage.kind == other.kind == "imported":
        return stage.stored_values.keys() & other.stored_values.keys()
    return stage.stored_values.keys() | other.stored_values.keys()


def _asked(stage: StageRecord, metrics: Set[str]) -> set[tuple[str, str, str, str | None]]:
    """Return all that a stage was asked: where, the prompt's id, the question and its target.

    Of what was measured by document, `metrics` count.
    """
    scored = {(score.group, score.id, score.question, score.target) for score in stage.scores}
    tasks = {
        (name, document, "", None)
        for name, values in stage.stored_values.items()
        if name in metrics and name != SECONDS_PER_RESPONSE
        for document in values
    }
    return scored | {("pairs", pair, "", None) for pair in stage.pairs} | tasks


def _chain(chain: RunChain, stages: dict[str, StageRecord]) -> ChainRecord:
    present = {slot: name for slot, name in chain.stages if name in stages}
    complete = len(present) == len(chain.stages)
    return ChainRecord(variant=chain.variant, seed=chain.seed, stages=present, complete=complete)


def _read_repeats(
    run: RunFile, stages: dict[str, StageRecord], folder: RunFolder
) -> Iterator[StageRecord]:
    """Yield the repeated evaluations that are there.

    One that was made before its stage was read again is of another contract, and left out.
    """
    listed = {stage.name: stage for stage in run.stages}
    for repeat in run.repeats:
        stage = stages.get(repeat.stage)
        if stage is None or not _evaluation(repeat.evaluation, folder.runs).is_complete():
            continue
        place = listed[stage.name].model_copy(update={"evaluation": repeat.evaluation})
        again = _read_stage(run.name, place, folder.runs)
        if again.evaluation.contract == stage.evaluation.contract:
            yield again


def _read_trajectories(
    run: str, stages: Sequence[RunStage], folder: RunFolder
) -> Iterator[tuple[str, TrajectoryRecord]]:
    """Yield what the stages were selected among, those that were."""
    for stage in stages:
        node = NodeFolder(folder.runs.root / stage.node)
        if node.is_selected():
            selection = node.read_selection()
            measured = read_trajectory(run, selection, folder.runs)
            yield stage.name, replace(measured, selected=selection.selected)


def read_trajectory(run: str, measured: Measured, runs: RunsFolder) -> TrajectoryRecord:
    """Read the evaluations that a checkpoint is selected by.

    Raises ValueError where they are not all there, or were not asked the same.
    """
    base = _read_stage(run, _alone("base", measured.base, None), runs)
    checkpoints = [
        CheckpointRecord(step, _read_stage(run, _alone(f"step {step}", place, "base"), runs))
        for step, place in sorted(measured.checkpoints.items())
    ]
    stages = [checkpoint.stage for checkpoint in checkpoints]
    for stage in stages:
        _refuse_another_contract(run, base, stage)
    _refuse_unequal_prompts(run, [base, *stages])
    return TrajectoryRecord(measured.metric, base, checkpoints, measured.left_out)


def _refuse_another_contract(run: str, base: StageRecord, stage: StageRecord) -> None:
    difference = first_difference(base.evaluation.contract, stage.evaluation.contract)
    if difference is not None:
        raise ValueError(
            f"The validation of base and of {stage.name} in '{run}' is of different contracts: "
            f"{difference.field} is {in_words(difference.mine)} in one and "
            f"{in_words(difference.theirs)} in the other. {REMEDY}"
        )


def _alone(name: str, evaluation: str, parent: str | None) -> RunStage:
    """Take what was evaluated for a stage of its own; its folder holds `evals` with that."""
    node = str(PurePosixPath(evaluation).parent.parent)
    return RunStage(name=name, kind="checkpoint", node=node, evaluation=evaluation, parent=parent)


def _read_stage(run: str, stage: RunStage, runs: RunsFolder) -> StageRecord:
    node = NodeFolder(runs.root / stage.node)
    evaluation = _evaluation(stage.evaluation, runs)
    damages = node.damages_of_records()
    if damages:
        raise DamagedError(damages, ANEW)
    stored = evaluation.read_all()
    if "extraction" not in stored.result.contract:
        raise ValueError(
            f"Run '{run}' was scored by an earlier stagelift, with lm-eval's flexible filter only. "
            f"Read its responses again with: stagelift rescore {run}"
        )
    refuse_contradictions(stored)
    first_samples = [response for response in stored.generations if response.sample == 0]
    verdicts = _verdicts(stored)
    votes = _voted(stored, verdicts)
    return StageRecord(
        run=run,
        name=stage.name,
        kind=stage.kind,
        parent=stage.parent,
        identity=node.read().identity if node.is_described() else {},
        training=node.read_result() if node.is_trained() else None,
        evaluation=_with_later_metrics(stored, votes),
        scores=stored.scores,
        generations={response.id: response for response in first_samples},
        verdicts=verdicts,
        pairs={pair.id: pair for pair in stored.pairs},
        stored_values=_stored_values(stored),
        stored_clusters=likelihood_clusters(stored.choices, stored.passages),
        merged=stage.merged,
        source=stage.source,
        weights=stage.weights,
        given=stage.given or "",
        votes=stored.votes,
        voted=votes,
        later_samples=tuple(one for one in stored.generations if one.sample),
        exported=node.read_export() if node.is_exported() else None,
        adapter=runs.relative(node.adapter) if node.is_trained() and node.has_adapter() else None,
    )


def _voted(stored: StoredEvaluation, verdicts: dict[str, dict[str, Verdict]]) -> dict[str, Voted]:
    found = {}
    for name, judged in verdicts.items():
        votes = [vote for vote in stored.votes if _win_rate_of(vote) == name]
        group = measure(name).group
        clusters = clusters_of(score for score in stored.scores if score.group == group)
        summed = voted(name, judged, votes, clusters)
        if summed is not None:
            found[name] = summed
    return found


def _verdicts(stored: StoredEvaluation) -> dict[str, dict[str, Verdict]]:
    verdicts: dict[str, dict[str, Verdict]] = {}
    for verdict in stored.verdicts:
        verdicts.setdefault(_win_rate_of(verdict), {})[verdict.id] = verdict
    return verdicts


def _with_later_metrics(stored: StoredEvaluation, votes: dict[str, Voted]) -> EvalResult:
    """Add what was timed, and what people voted on, where it was: result.json says nothing of
    them.
    """
    corrected = {found.metric: found.value() for found in votes.values()}
    later = timing_metrics(stored.timings) | {
        name: metric for name, metric in corrected.items() if metric is not None
    }
    return stored.result.model_copy(update={"metrics": stored.result.metrics | later})


def _stored_values(stored: StoredEvaluation) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = {}
    for score in stored.task_scores:
        values.setdefault(score.metric, {})[score.id] = score.value
    values |= likelihood_values(stored.choices, stored.passages)
    timed = seconds_by_batch(stored.timings)
    if timed:
        values[SECONDS_PER_RESPONSE] = timed
    return values
