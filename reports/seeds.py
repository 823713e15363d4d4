"""What repeated training says: each stage over its seeds, and the noise floor below which a difference is nobody's merit.

A seed is one training of one stage; with three or more the interval is over seeds (t), never over seeds x prompts. The floor is
the larger of two: how much two trainings that differ in their seed alone may differ, and how much two evaluations of one
checkpoint do. Neither says what other data, or another machine, would change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from evals import stats
from reports.records import RunRecord, StageRecord
from reports.values import model_metrics, model_values

SEEDS_FOR_AN_INTERVAL = 3


@dataclass(frozen=True)
class Siblings:
    """The trainings of one stage with different seeds, in the order of the run's seeds; `previous` titles the stage before."""

    title: str
    previous: str
    stages: tuple[StageRecord, ...]
    seeds: tuple[int, ...]

    def metrics(self) -> list[str]:
        """Name the metrics that all of them have."""
        first, *others = [stage.evaluation.metrics for stage in self.stages]
        return [name for name in first if all(name in other for other in others)]


@dataclass(frozen=True)
class Floor:
    """The noise floor of a metric at a stage, in the metric's unit: `between_seeds` and `between_evaluations`, and the larger.

    `sd` is the spread of the seeds' values. `between_evaluations` is None where nothing was evaluated twice.
    """

    run: str
    metric: str
    stage: str
    members: tuple[str, ...]
    seeds: int
    sd: float
    between_seeds: float
    between_evaluations: float | None

    @property
    def floor(self) -> float:
        """The larger of both."""
        return max(self.between_seeds, self.between_evaluations or 0.0)


@dataclass(frozen=True)
class OverSeeds:
    """A metric of a stage over seeds: its mean, or (`against`) the mean of the differences to another stage of the same seed.

    `values` has one value per seed. `low` and `high` are None below three seeds.
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


def siblings(run: RunRecord) -> list[Siblings]:
    """Group the stages of a run that differ in their seed alone; what was trained once is in no group."""
    found: dict[tuple[str, tuple[str, ...]], dict[int, StageRecord]] = {}
    for chain in run.chains:
        slots = list(chain.stages)[1:]
        for place, slot in enumerate(slots, start=1):
            found.setdefault((chain.variant, tuple(slots[:place])), {})[chain.seed] = run.stage(chain.stages[slot])
    return [
        Siblings(_title(run, variant, path), _title(run, variant, path[:-1]), tuple(stages.values()), tuple(stages))
        for (variant, path), stages in found.items()
        if len({stage.name for stage in stages.values()}) > 1
    ]


def _title(run: RunRecord, variant: str, path: tuple[str, ...]) -> str:
    """Name a stage without its seed: by variant and slot, in a lattice by the whole path."""
    return "/".join(filter(None, [variant, "+".join(path if run.lattice else path[-1:])]))


def floors(run: RunRecord) -> list[Floor]:
    """Return the noise floor of every metric at every stage that was trained with two seeds or more."""
    measured_again = _between_evaluations(run)
    return [
        Floor(
            run=run.name,
            metric=name,
            stage=group.title,
            members=tuple(stage.name for stage in group.stages),
            seeds=len(group.stages),
            sd=stats.spread(values),
            between_seeds=stats.seed_noise(values),
            between_evaluations=measured_again.get(name),
        )
        for group in siblings(run)
        for name in group.metrics()
        for values in [[stage.evaluation.metrics[name].value for stage in group.stages]]
    ]


def over_seeds(run: RunRecord) -> list[OverSeeds]:
    """Return every metric of every stage over its seeds: its values, and its differences to the stage before and to base."""
    found = []
    for group in siblings(run):
        for name in model_metrics(group.stages):
            values = [stage.evaluation.metrics[name].value for stage in group.stages]
            found.append(_over(run.name, name, group, None, values))
            for against, others in _others(run, group).items():
                differences = seed_differences(run, name, group.stages, others)
                found += [] if differences is None else [_over(run.name, name, group, against, differences)]
    return found


def seed_differences(
    run: RunRecord, name: str, stages: Sequence[StageRecord], others: Sequence[StageRecord]
) -> list[float] | None:
    """Return the mean paired difference of each seed's stage to its other; None where a pair shares no prompt."""
    found = []
    for stage, other in zip(stages, others, strict=True):
        mine = model_values(name, stage, run.base(stage))
        theirs = model_values(name, other, run.base(other), mine)
        shared = [one for one in mine if one in theirs]
        if not shared:
            return None
        found.append(sum(mine[one] - theirs[one] for one in shared) / len(shared))
    return found


def _others(run: RunRecord, group: Siblings) -> dict[str, list[StageRecord]]:
    """The stages before and the bases, seed by seed; for the first trained stage they are one."""
    before = [run.before(stage) or stage for stage in group.stages]
    bases = [run.base(stage) for stage in group.stages]
    previous = bases[0].name if before == bases else group.previous
    return {previous: before, bases[0].name: bases}


def _over(run: str, name: str, group: Siblings, against: str | None, values: list[float]) -> OverSeeds:
    mean = stats.over_seeds(values)
    known = len(values) >= SEEDS_FOR_AN_INTERVAL
    return OverSeeds(
        run=run,
        metric=name,
        stage=group.title,
        against=against,
        seeds=group.seeds,
        values=tuple(values),
        value=mean.value,
        low=mean.low if known else None,
        high=mean.high if known else None,
    )


def _between_evaluations(run: RunRecord) -> dict[str, float]:
    """How much two evaluations of one checkpoint may differ, by metric: the largest of the checkpoints measured again."""
    found: dict[str, float] = {}
    for again in run.repeats:
        first, base = run.stage(again.name), run.base(run.stage(again.name))
        for name in model_metrics([first, again]):
            before, after = model_values(name, first, base), model_values(name, again, base)
            noise = stats.repeat_noise([after[one] - before[one] for one in before if one in after])
            found[name] = max(found.get(name, 0.0), noise)
    return found
