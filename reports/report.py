"""What every format renders: runs, their comparisons, judges' passports, rankings, flipped
problems, and what studies ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stagelift.evals.records import Passport
from stagelift.reports.numbers.attribution import (
    Attribution,
    Interaction,
    attribution,
    interactions,
)
from stagelift.reports.numbers.compare import Comparison, compare_stages
from stagelift.reports.numbers.flips import flips
from stagelift.reports.numbers.gains import Gain, gains
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.numbers.ranking import Strength, rank_stages
from stagelift.reports.numbers.seeds import Floor, OverSeeds, floors, over_seeds
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
class Report:
    """Everything a report shows; a pure function of the records."""

    runs: list[RunRecord]
    comparisons: list[Comparison]
    passports: dict[str, Passport]
    rankings: dict[str, list[Strength]]
    gains: list[Gain]
    flips: list[StageFlips]
    attribution: list[Attribution]
    interactions: list[Interaction]
    variants: list[RankedVariant]
    seeds: list[OverSeeds]
    floors: list[Floor]

    def stages(self) -> list[StageRecord]:
        """All columns, run by run."""
        return [stage for run in self.runs for stage in run.stages]

    def column(self, stage: StageRecord) -> str:
        """Name a column: the stage, with its run where there are several."""
        return stage.name if len(self.runs) == 1 else f"{stage.run}/{stage.name}"

    def flips_title(self, flips: "StageFlips") -> str:
        """Say how many problems a stage fixed, broke and left, naming its run where there are
        several.
        """
        run = "" if len(self.runs) == 1 else f"{flips.run}: "
        samples = (
            max((score.sample for stage in self.stages() for score in stage.scores), default=0) + 1
        )
        which = f" (by the first of {samples} samples)" if samples > 1 else ""
        return (
            f"{run}{flips.stage} against {flips.previous}: {flips.fixed} problems fixed, "
            f"{flips.broken} broken, {flips.still_right} still right, {flips.still_wrong} still "
            f"wrong{which}"
        )

    def has_unfit_judge(self, run: str) -> bool:
        """Say whether a run's judge was found not fit to decide, so that its win rates have no
        verdict.
        """
        return run in self.passports and self.passports[run].fit is False

    def floor(self, run: str, metric: str, *stages: str) -> Floor | None:
        """Return the largest noise floor of a metric at any of the stages; None where no stage was
        trained with several seeds.
        """
        found = [
            one
            for one in self.floors
            if (one.run, one.metric) == (run, metric) and {*stages} & {*one.members}
        ]
        return max(found, key=lambda one: one.floor, default=None)

    def is_below_noise(self, comparison: Comparison) -> bool:
        """Say whether a difference is smaller than what another seed, or measuring again, may make
        of it.
        """
        return self.is_below(
            comparison.run,
            comparison.metric,
            comparison.delta,
            comparison.stage,
            comparison.against,
        )

    def is_below(self, run: str, metric: str, difference: float, *stages: str) -> bool:
        """Say whether a difference between some of the stages is below the largest of their noise
        floors.
        """
        found = self.floor(run, metric, *stages)
        return found is not None and abs(difference) < found.floor

    def is_variant_below_noise(self, found: VariantDifference, variant: RankedVariant) -> bool:
        """Say whether another seed may make as large a difference, of the variant or the
        reference.
        """
        reference = next(
            other
            for other in self.variants
            if (other.run, other.stage, other.variant)
            == (variant.run, variant.stage, variant.reference)
        )
        members = {*variant.members, *reference.members}
        return self.is_below(variant.run, found.metric, found.delta, *members)

    def find(self, metric: str, stage: StageRecord, against: str) -> Comparison | None:
        """Return a stage's comparison with another stage of its run, if it was made."""
        wanted = (stage.run, metric, stage.name, against)
        return next(
            (c for c in self.comparisons if (c.run, c.metric, c.stage, c.against) == wanted), None
        )


def build_report(runs: Sequence[RunRecord]) -> Report:
    """Compare the stages of one or more runs. Raises ValueError where their contracts differ."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ValueError(
            f"Two of the runs have the same name ({', '.join(names)}), so their columns could not "
            "be told apart."
        )
    comparisons = compare_stages(runs)
    pairs = [pair for run in runs for pair in run.steps()]
    found = [
        flipped
        for previous, stage in pairs
        if (flipped := _stage_flips(stage, previous)) is not None
    ]
    judged = {run.name: passport for run in runs if (passport := run_passport(run)) is not None}
    ranked = {run.name: ranking for run in runs if (ranking := rank_stages(run))}
    return Report(
        runs=list(runs),
        comparisons=comparisons,
        passports=judged,
        rankings=ranked,
        gains=[gain for run in runs for gain in gains(run)],
        flips=found,
        attribution=[one for run in runs for one in attribution(run)],
        interactions=[one for run in runs for one in interactions(run)],
        variants=[one for run in runs for one in rank_variants(run)],
        seeds=[one for run in runs for one in over_seeds(run)],
        floors=[one for run in runs for one in floors(run)],
    )


def _stage_flips(stage: StageRecord, previous: StageRecord) -> StageFlips | None:
    found = flips(stage, previous)
    # no problem was scored at both stages
    if not any(found):
        return None
    return StageFlips(
        run=stage.run,
        stage=stage.name,
        previous=previous.name,
        fixed=len(found.fixed),
        broken=len(found.broken),
        still_right=len(found.still_right),
        still_wrong=len(found.still_wrong),
        fixed_examples=[_example(problem, stage, previous) for problem in found.fixed[:EXAMPLES]],
        broken_examples=[_example(problem, stage, previous) for problem in found.broken[:EXAMPLES]],
    )


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
