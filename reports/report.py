"""What every format renders, run by run: comparisons, a judge's passport, flipped problems, what
studies ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stagelift.evals.records import Metric, Passport
from stagelift.reports.numbers.attribution import (
    Attribution,
    Interaction,
    attribution,
    interactions,
)
from stagelift.reports.numbers.between import RunComparison, compare_runs
from stagelift.reports.numbers.compare import Comparison, compare_stages
from stagelift.reports.numbers.flips import flips
from stagelift.reports.numbers.gains import Gain, gains
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.numbers.ranking import Strength, rank_stages
from stagelift.reports.numbers.seeds import Floor, OverSeeds, floors, over_seeds
from stagelift.reports.numbers.trajectory import Trajectory, trajectory
from stagelift.reports.numbers.variants import RankedVariant, VariantDifference, rank_variants
from stagelift.reports.records import RunRecord, StageRecord

EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """One problem that a stage fixed or broke: the two responses and how they were read."""

    problem: str
    question: str
    target: str
    before: str
    after: str
    outcome_before: str
    outcome_after: str


@dataclass(frozen=True)
class StageFlips:
    """How many problems a stage fixed, broke and left as they were, with the first few of those
    that changed.
    """

    run: str
    stage: str
    previous: str
    fixed: int
    broken: int
    still_right: int
    still_wrong: int
    fixed_examples: list[Example]
    broken_examples: list[Example]


@dataclass(frozen=True)
class RunReport:
    """Everything a report shows of one run.

    `passport` says what is known of the run's judge, None where nothing was judged. `trajectories`
    are of stages that were selected among checkpoints. The lists from `attribution` on are of
    studies, and empty for a plain chain.
    """

    record: RunRecord
    comparisons: list[Comparison]
    passport: Passport | None
    ranking: list[Strength]
    gains: list[Gain]
    flips: list[StageFlips]
    trajectories: list[Trajectory]
    attribution: list[Attribution]
    interactions: list[Interaction]
    variants: list[RankedVariant]
    seeds: list[OverSeeds]
    floors: list[Floor]

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def stages(self) -> list[StageRecord]:
        return self.record.stages

    @property
    def has_unfit_judge(self) -> bool:
        """Whether the judge was found not fit to decide, so that win rates have no verdict."""
        return self.passport is not None and self.passport.fit is False

    def find(self, metric: str, stage: StageRecord, against: str) -> Comparison | None:
        """Return a stage's comparison with another stage, if it was made."""
        wanted = (metric, stage.name, against)
        for comparison in self.comparisons:
            if (comparison.metric, comparison.stage, comparison.against) == wanted:
                return comparison
        return None

    def floor(self, metric: str, *stages: str) -> Floor | None:
        """Return the largest noise floor of a metric at any of the stages; None where no stage was
        trained with several seeds.
        """
        known = [
            floor
            for floor in self.floors
            if floor.metric == metric and {*stages} & {*floor.members}
        ]
        return max(known, key=lambda floor: floor.of(1) or 0.0, default=None)

    def is_below(self, metric: str, difference: float, *stages: str, runs: int = 1) -> bool:
        """Say whether a difference between some of the stages, or of their means over `runs` seeds,
        is below the largest of their noise floors.
        """
        known = self.floor(metric, *stages)
        floor = None if known is None else known.of(runs)
        return floor is not None and abs(difference) < floor

    def is_below_noise(self, comparison: Comparison) -> bool:
        """Say whether a difference is smaller than what another seed, or measuring again, may make
        of it.
        """
        stages = (comparison.stage, comparison.against)
        return self.is_below(comparison.metric, comparison.delta, *stages)

    def is_variant_below_noise(self, difference: VariantDifference, variant: RankedVariant) -> bool:
        """Say whether other seeds may make as large a difference, of the variant or the
        reference.
        """
        reference = next(
            candidate
            for candidate in self.variants
            if (candidate.stage, candidate.variant) == (variant.stage, variant.reference)
        )
        members = {*variant.members, *reference.members}
        runs = len(variant.members)
        return self.is_below(difference.metric, difference.delta, *members, runs=runs)


@dataclass(frozen=True)
class Report:
    """Everything a report shows, run by run; a pure function of the records.

    `between` compares the later runs with the first.
    """

    runs: list[RunReport]
    between: list[RunComparison] = field(default_factory=list)

    def stages(self) -> list[StageRecord]:
        """All columns, run by run."""
        return [stage for run in self.runs for stage in run.stages]

    def measured(self) -> list[StageRecord]:
        """All columns with those of exports, each after its stage."""
        return [stage for run in self.runs for stage in run.record.measured()]

    def comparisons(self) -> list[Comparison]:
        """All comparisons, run by run: Holm's families."""
        return [comparison for run in self.runs for comparison in run.comparisons]

    def flips(self) -> list[StageFlips]:
        """All that stages changed problem by problem, run by run."""
        return [flips for run in self.runs for flips in run.flips]

    def column(self, stage: StageRecord) -> str:
        """Name a column: the stage, with its run where there are several."""
        if len(self.runs) == 1:
            return stage.name
        return f"{stage.run}/{stage.name}"

    def flips_title(self, flips: StageFlips) -> str:
        """Say how many problems a stage fixed, broke and left, naming its run where there are
        several.
        """
        run = "" if len(self.runs) == 1 else f"{flips.run}: "
        scores = [score for stage in self.stages() for score in stage.scores]
        # what was drawn beside the greedy responses is no part of this
        last_sample = max((score.sample for score in scores if score.group != "sampled"), default=0)
        samples = last_sample + 1
        which = f" (by the first of {samples} samples)" if samples > 1 else ""
        return (
            f"{run}{flips.stage} against {flips.previous}: {flips.fixed} problems fixed, "
            f"{flips.broken} broken, {flips.still_right} still right, {flips.still_wrong} still "
            f"wrong{which}"
        )


def build_report(runs: Sequence[RunRecord], *, across_engines: bool = False) -> Report:
    """Compare the stages of one or more runs, and several runs with one another.

    Raises ValueError where their contracts differ; with `across_engines` the engines may.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ValueError(
            f"Two of the runs have the same name ({', '.join(names)}), so their columns could not "
            "be told apart."
        )
    # of all runs at once: the verdicts are adjusted for all that stand in one report
    comparisons = compare_stages(runs, across_engines=across_engines)
    reports = []
    for run in runs:
        own = [comparison for comparison in comparisons if comparison.run == run.name]
        reports.append(_run_report(run, own))
    return Report(reports, compare_runs(runs))


def _run_report(run: RunRecord, comparisons: list[Comparison]) -> RunReport:
    changes = [_stage_flips(stage, previous) for previous, stage in run.steps()]
    return RunReport(
        record=run,
        comparisons=comparisons,
        passport=run_passport(run),
        ranking=rank_stages(run),
        gains=gains(run),
        flips=[change for change in changes if change is not None],
        trajectories=[
            trajectory(run.name, name, measured, _reported(measured.metric, run.stage(name)))
            for name, measured in run.trajectories.items()
            if any(stage.name == name for stage in run.stages)
        ],
        attribution=attribution(run),
        interactions=interactions(run),
        variants=rank_variants(run),
        seeds=over_seeds(run),
        floors=floors(run),
    )


def _reported(metric: str, stage: StageRecord) -> Metric | None:
    """Return what a stage's own problems say in a metric that it was selected by."""
    return stage.evaluation.metrics.get(metric)


def _stage_flips(stage: StageRecord, previous: StageRecord) -> StageFlips | None:
    changed = flips(stage, previous)
    # no problem was scored at both stages
    if not any(changed):
        return None
    return StageFlips(
        run=stage.run,
        stage=stage.name,
        previous=previous.name,
        fixed=len(changed.fixed),
        broken=len(changed.broken),
        still_right=len(changed.still_right),
        still_wrong=len(changed.still_wrong),
        fixed_examples=_examples(changed.fixed, stage, previous),
        broken_examples=_examples(changed.broken, stage, previous),
    )


def _examples(problems: Sequence[str], stage: StageRecord, previous: StageRecord) -> list[Example]:
    return [_example(problem, stage, previous) for problem in problems[:EXAMPLES]]


def _example(problem: str, stage: StageRecord, previous: StageRecord) -> Example:
    now, before = stage.first_scores()[problem], previous.first_scores()[problem]
    return Example(
        problem=problem,
        question=now.question,
        target=now.target or "",
        before=previous.generations[problem].response,
        after=stage.generations[problem].response,
        outcome_before=before.outcome or "not scored",
        outcome_after=now.outcome or "not scored",
    )
