"""What repeated training says: each stage over its seeds, and the noise floor below which a
difference is nobody's merit.

A seed is one training of one stage; with three or more the interval is over seeds (t), never over
seeds x prompts. The floor is the larger of two: how much two trainings that differ in their seed
alone may differ, and how much two evaluations of one checkpoint do. Means over several seeds are
held against the floor of such means. Two seeds give what was seen between them, which is no floor.
Neither says what other data, or another machine, would change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
from stagelift.evals.stats import estimates
from stagelift.evals.stats.difference import Difference, seed_difference
from stagelift.reports.numbers.values import (
    model_metrics,
    model_values,
    of_differences,
)
from stagelift.reports.records import ChainRecord, RunRecord, StageRecord

SEEDS_FOR_AN_INTERVAL = 3


@dataclass(frozen=True)
class Siblings:
    """The trainings of one stage with different seeds, in the order of the run's seeds."""

    title: str
    stages: tuple[StageRecord, ...]
    seeds: tuple[int, ...]

    def metrics(self) -> list[str]:
        """Name the metrics that all of them have."""
        by_seed = [stage.evaluation.metrics for stage in self.stages]
        return [name for name in by_seed[0] if all(name in metrics for metrics in by_seed)]


@dataclass(frozen=True)
class Floor:
    """What seeds and repeated evaluations do to a metric at a stage, in the metric's unit.

    `sd` is the spread of the seeds' values. `between_seeds` is how much two single trainings may
    differ; with two seeds it is what they were seen to differ by, and no floor.
    `between_evaluations` is None where nothing was evaluated twice.
    """

    run: str
    metric: str
    stage: str
    members: tuple[str, ...]
    seeds: int
    sd: float
    between_seeds: float
    between_evaluations: float | None

    def of(self, runs: int) -> float | None:
        """Return the noise floor of a difference of two means over `runs` seeds each, of single
        trainings with 1; None with two seeds.

        What measuring again does is no floor by itself: the responses of greedy decoding come out
        the same, and say nothing of what another seed would do.
        """
        if self.seeds < SEEDS_FOR_AN_INTERVAL:
            return None
        return max(self.between_seeds, self.between_evaluations or 0.0) / sqrt(runs)


@dataclass(frozen=True)
class OverSeeds:
    """A metric of a stage over seeds: its mean, or (`against`) the mean of the differences to
    another stage of the same seed.

    `values` has one value per seed. `low` and `high` are None below three seeds, and where all are
    equal: so few know no spread. `members` and `others` name the stages behind both.
    """

    run: str
    metric: str
    stage: str
    against: str | None
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    value: float
    low: float | None
    high: float | None
    members: tuple[str, ...]
    others: tuple[str, ...]


def siblings(run: RunRecord) -> list[Siblings]:
    """Group the stages of a run that differ in their seed alone; what was trained once is in no
    group.
    """
    return [
        Siblings(title, tuple(map(run.stage, by_seed.values())), tuple(by_seed))
        for title, by_seed in stages_by_seed(run.chains).items()
    ]


def stages_by_seed(chains: Sequence[ChainRecord]) -> dict[str, dict[int, str]]:
    """Return the stages that were trained with several seeds: their names by seed, under what they
    are called without it.
    """
    # by names, so that what variants share is one group
    groups = {tuple(by_seed.values()): by_seed for by_seed in _by_seed(chains)}
    return {
        without_seed(names[0]): by_seed for names, by_seed in groups.items() if len(set(names)) > 1
    }


def _by_seed(chains: Sequence[ChainRecord]) -> list[dict[int, str]]:
    """The stages of every variant at every place in its chain, by seed."""
    places: dict[tuple[str, tuple[str, ...]], dict[int, str]] = {}
    for chain in chains:
        slots = tuple(chain.stages)
        for length, slot in enumerate(slots, start=1):
            by_seed = places.setdefault((chain.variant, slots[:length]), {})
            by_seed[chain.seed] = chain.stages[slot]
    return list(places.values())


def without_seed(stage: str) -> str:
    """Return what a stage is called without its seed: `r=4,seed=0/sft` is r=4/sft."""
    labels, _, slot = stage.rpartition("/")
    kept = [label for label in labels.split(",") if label and not label.startswith("seed=")]
    return "/".join(filter(None, [",".join(kept), slot]))


def floors(run: RunRecord) -> list[Floor]:
    """Return the noise floor of every metric at every stage that was trained with two seeds or
    more.
    """
    measured_again = _between_evaluations(run)
    return [
        Floor(
            run=run.name,
            metric=name,
            stage=group.title,
            members=tuple(stage.name for stage in group.stages),
            seeds=len(group.stages),
            sd=estimates.spread(values),
            between_seeds=estimates.seed_floor(values) or max(values) - min(values),
            between_evaluations=measured_again.get(name),
        )
        for group in siblings(run)
        for name in group.metrics()
        for values in [[stage.evaluation.metrics[name].value for stage in group.stages]]
    ]


def over_seeds(run: RunRecord) -> list[OverSeeds]:
    """Return every metric of every stage over its seeds: its values, and its differences to the
    stage before and to base.
    """
    return [
        mean
        for group in siblings(run)
        for name in model_metrics(group.stages)
        for mean in _means(run, name, group)
    ]


def _means(run: RunRecord, name: str, group: Siblings) -> Iterator[OverSeeds]:
    values = [stage.evaluation.metrics[name].value for stage in group.stages]
    yield _over(run.name, name, group, None, (), values)
    for against, earlier_stages in _earlier_stages(run, group).items():
        differences = seed_differences(run, name, group.stages, earlier_stages)
        if differences is not None:
            yield _over(run.name, name, group, against, earlier_stages, differences)


def seed_differences(
    run: RunRecord, name: str, stages: Sequence[StageRecord], others: Sequence[StageRecord]
) -> list[float] | None:
    """Return the mean paired difference of each seed's stage to its other; None where a pair shares
    no prompt.
    """
    means = []
    for stage, other in zip(stages, others, strict=True):
        mine = model_values(name, stage, run.base(stage))
        theirs = model_values(name, other, run.base(other), mine)
        differences = [mine[prompt] - theirs[prompt] for prompt in mine if prompt in theirs]
        if not differences:
            return None
        means.append(sum(differences) / len(differences))
    return means


def _earlier_stages(run: RunRecord, group: Siblings) -> dict[str, list[StageRecord]]:
    """The stages before and the bases, seed by seed; for the first trained stage they are one.

    Imported stages may have nothing before them.
    """
    if any(run.before(stage) is None for stage in group.stages):
        return {}
    before = [run.before(stage) or stage for stage in group.stages]
    bases = [run.base(stage) for stage in group.stages]
    return {without_seed(before[0].name): before, bases[0].name: bases}


def mean_over_seeds(
    name: str, values: Sequence[float], *, difference: bool = False
) -> Metric | None:
    """Return the mean with its interval over seeds, cut off at what the metric can be; None where
    there is no interval.

    There is none below three seeds, nor where all seeds gave the same.
    """
    if len(values) < SEEDS_FOR_AN_INTERVAL or estimates.is_constant(values):
        return None
    ends = measure(name).ends
    if difference:
        ends = of_differences(ends)
    return estimates.within(ends, estimates.over_seeds(values))


def difference_over_seeds(values: Sequence[float], bound: float) -> Difference | None:
    """Return the difference over seeds, cut off at the `bound` either way; None where there is no
    interval (see `mean_over_seeds`).
    """
    if len(values) < SEEDS_FOR_AN_INTERVAL:
        return None
    made = seed_difference(values)
    if made is None:
        return None
    return replace(made, low=max(-bound, made.low), high=min(bound, made.high))


def _over(
    run: str,
    name: str,
    group: Siblings,
    against: str | None,
    others: Sequence[StageRecord],
    values: list[float],
) -> OverSeeds:
    mean = mean_over_seeds(name, values, difference=against is not None)
    return OverSeeds(
        run=run,
        metric=name,
        stage=group.title,
        against=against,
        seeds=group.seeds,
        values=tuple(values),
        value=sum(values) / len(values),
        low=None if mean is None else mean.low,
        high=None if mean is None else mean.high,
        members=tuple(stage.name for stage in group.stages),
        others=tuple(stage.name for stage in others),
    )


def _between_evaluations(run: RunRecord) -> dict[str, float]:
    """How much two evaluations of one checkpoint may differ, by metric: the largest of the
    checkpoints measured again.

    What is not asked in other batches, log-probabilities and lm-eval's tasks, would only say that
    it is. What shares no prompt says nothing.
    """
    noise: dict[str, float] = {}
    for again in run.repeats:
        first = run.stage(again.name)
        base = run.base(first)
        for name in filter(_is_asked_again, model_metrics([first, again])):
            before = model_values(name, first, base)
            after = model_values(name, again, base)
            differences = [after[prompt] - before[prompt] for prompt in before if prompt in after]
            if differences:
                noise[name] = max(noise.get(name, 0.0), estimates.repeat_noise(differences))
    return noise


def _is_asked_again(name: str) -> bool:
    return measure(name).family not in ("lm-eval task", "preference accuracy")
