"""Variants of a recipe against one of them, stage by stage: ranked, Holm-adjusted, with what each
cost.

Differences are paired by prompt; with three seeds or more they are paired by seed, and the interval
is over seeds. With fewer it covers the choice of prompts only: two checkpoints are compared, and
another seed would give others. The Pareto front takes the values as they are, noise and all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
from stagelift.evals.stats import tests
from stagelift.evals.stats.power import Difference
from stagelift.reports.numbers.seeds import mean_over_seeds, seed_differences
from stagelift.reports.numbers.values import (
    largest_difference,
    mean_of,
    model_metrics,
    model_values,
)
from stagelift.reports.numbers.verdicts import Decision, decide
from stagelift.reports.records import RunRecord, StageRecord

COMPARED = ("accuracy", "accuracy_held_out", "win_rate_base", "length_tokens", "length_chars")
WHOLE_CHAIN = "the whole chain"


@dataclass(frozen=True)
class Cost:
    """What it took to get a variant to a stage: parameters of its adapters, training of all stages
    up to it, largest memory.

    With several seeds seconds are their mean. None where that is not known.
    """

    parameters: int | None
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class VariantDifference:
    """A metric's difference to the reference variant, in its own unit; `n` counts prompts, or seeds
    (`over`).

    `p`, `p_adjusted` and `mde` are None where all pairs are identical.
    """

    metric: str
    delta: float
    low: float
    high: float
    n: int
    over: str
    p: float | None
    p_adjusted: float | None
    mde: float | None
    verdict: Decision


@dataclass(frozen=True)
class RankedVariant:
    """A variant at a stage.

    `values` are the metrics' means over seeds; `differences` are empty for the reference itself.

    `rank` is by accuracy, and equal for equal ones; `on_front` is None where accuracy or a cost is
    not known.
    """

    run: str
    stage: str
    variant: str
    reference: str
    members: tuple[str, ...]
    values: dict[str, Metric]
    cost: Cost
    differences: tuple[VariantDifference, ...]
    rank: int
    on_front: bool | None

    def difference(self, metric: str) -> VariantDifference | None:
        """Return the difference to the reference in a metric, if it was made."""
        return next((one for one in self.differences if one.metric == metric), None)


def rank_variants(run: RunRecord) -> list[RankedVariant]:
    """Return every variant at every stage at which variants differ, best accuracy first; Holm runs
    over all of them.
    """
    if run.reference is None:
        return []
    found = [one for place, stages in _places(run) for one in _compared(run, place, stages)]
    family = {_test(one, variant, found): one.p for variant in found for one in variant.differences}
    adjusted = dict(zip(family, tests.holm(list(family.values())), strict=True))
    decided = [
        replace(
            v,
            differences=tuple(
                _decided(one, adjusted[_test(one, v, found)]) for one in v.differences
            ),
        )
        for v in found
    ]
    return [
        one
        for _, group in groupby(decided, key=lambda one: one.stage)
        for one in _ranked(list(group))
    ]


def _test(
    one: VariantDifference, variant: RankedVariant, found: Sequence[RankedVariant]
) -> tuple[object, ...]:
    """Name the test behind a difference: at the end of the chains it may be one that was made at a
    stage.
    """
    reference = next(v for v in found if (v.stage, v.variant) == (variant.stage, variant.reference))
    return one.metric, variant.members, reference.members


def _places(run: RunRecord) -> Iterator[tuple[str, dict[str, list[StageRecord]]]]:
    """Yield each slot with the stages in it by variant, and the ends of the chains where these are
    of different slots.
    """
    chains: dict[str, list[dict[str, StageRecord]]] = {}
    for chain in run.chains:
        chains.setdefault(chain.variant, []).append(
            {slot: run.stage(name) for slot, name in chain.stages.items()}
        )
    slots = list(dict.fromkeys(slot for seeds in chains.values() for one in seeds for slot in one))
    for slot in slots:
        yield (
            slot,
            {
                name: [one[slot] for one in seeds]
                for name, seeds in chains.items()
                if all(slot in s for s in seeds)
            },
        )
    complete = all(chain.complete for chain in run.chains)
    if complete and len({list(seeds[0])[-1] for seeds in chains.values()}) > 1:
        yield (
            WHOLE_CHAIN,
            {name: [list(one.values())[-1] for one in seeds] for name, seeds in chains.items()},
        )


def _compared(
    run: RunRecord, place: str, stages: dict[str, list[StageRecord]]
) -> list[RankedVariant]:
    """Compare the variants at one place with the reference; none where all of them are the same
    models there.
    """
    if (
        len({tuple(stage.name for stage in found) for found in stages.values()}) < 2
        or run.reference is None
    ):
        return []
    every = [stage for found in stages.values() for stage in found]
    names = [
        one
        for one in model_metrics(every)
        if one in COMPARED and all(one in s.evaluation.metrics for s in every)
    ]
    reference = stages.get(run.reference)
    return [
        RankedVariant(
            run=run.name,
            stage=place,
            variant=variant,
            reference=run.reference,
            members=tuple(stage.name for stage in found),
            values={name: _value(name, run, found) for name in names},
            cost=_cost(run, found),
            differences=()
            if reference in (None, found)
            else tuple(_differences(run, names, found, reference or [])),
            rank=0,
            on_front=None,
        )
        for variant, found in stages.items()
    ]


def _value(name: str, run: RunRecord, stages: Sequence[StageRecord]) -> Metric:
    """Return a metric over seeds where they give an interval; else of their mean by prompt, over
    prompts.
    """
    if len(stages) == 1:
        return stages[0].evaluation.metrics[name]
    over = mean_over_seeds(name, [stage.evaluation.metrics[name].value for stage in stages])
    if over is not None:
        return over
    return mean_of(name, list(_over_seeds(name, run, stages).values()))


def _differences(
    run: RunRecord,
    names: Sequence[str],
    stages: Sequence[StageRecord],
    reference: Sequence[StageRecord],
) -> Iterator[VariantDifference]:
    bases = {run.base(stage).name for stage in (*stages, *reference)}
    compared = names if len(bases) == 1 else [name for name in names if not _is_of_base(name)]
    for name in compared:
        found, over = _difference(run, name, stages, reference)
        if found is not None:
            yield VariantDifference(
                name,
                found.delta,
                found.low,
                found.high,
                found.n,
                over,
                found.p,
                None,
                found.mde,
                "no difference shown",
            )


def _is_of_base(name: str) -> bool:
    """Say whether a metric compares only where base is the same: against another, or in tokens of
    another tokenizer, it is something else.
    """
    known = measure(name)
    return known.against == "base" or known.unit == "tokens"


def _difference(
    run: RunRecord, name: str, stages: Sequence[StageRecord], reference: Sequence[StageRecord]
) -> tuple[Difference | None, str]:
    by_seed = seed_differences(run, name, stages, reference)
    if by_seed is None:
        return None, "prompts"
    if mean_over_seeds(name, by_seed, difference=True) is not None:
        return tests.seed_difference(by_seed), "seeds"
    values = [_over_seeds(name, run, one) for one in (stages, reference)]
    pairs = [(values[0][one], values[1][one]) for one in values[0] if one in values[1]]
    seen = {value for pair in pairs for value in pair}
    bound = largest_difference(name, seen)
    return tests.difference(
        [a - b for a, b in pairs], binary=seen <= {0.0, 1.0}, bound=bound
    ), "prompts"


def _over_seeds(name: str, run: RunRecord, stages: Sequence[StageRecord]) -> dict[str, float]:
    """Return the mean over seeds by prompt."""
    values = [model_values(name, stage, run.base(stage)) for stage in stages]
    shared = [one for one in values[0] if all(one in other for other in values)]
    return {one: sum(value[one] for value in values) / len(values) for one in shared}


def _cost(run: RunRecord, stages: Sequence[StageRecord]) -> Cost:
    """Base cost nothing; what an adapter from elsewhere did is not known."""
    chains = [run.chain(stage)[1:] for stage in stages]
    if any(one.training is None for chain in chains for one in chain):
        return Cost(None, None, None)
    trained = [[one.training for one in chain if one.training is not None] for chain in chains]
    return Cost(
        parameters=sum(_parameters(run, part) for part in (*stages[0].merged, stages[0].name)),
        seconds=sum(one.seconds for chain in trained for one in chain) / len(stages),
        memory=max((one.peak_memory_bytes for chain in trained for one in chain), default=0),
    )


def _parameters(run: RunRecord, name: str) -> int:
    """Count what an adapter of the model trained."""
    training = run.stage(name).training
    return 0 if training is None else training.trainable_parameters


def _decided(found: VariantDifference, p_adjusted: float | None) -> VariantDifference:
    verdict = decide(found.metric, found.delta, p_adjusted)
    return replace(found, p_adjusted=p_adjusted, verdict=verdict)


def _ranked(found: list[RankedVariant]) -> list[RankedVariant]:
    """Sort by accuracy, as it is, and mark the front."""
    accuracies = [_accuracy(one) for one in found]
    placed = [
        replace(
            one, rank=1 + sum(other > mine for other in accuracies), on_front=_on_front(one, found)
        )
        for one, mine in zip(found, accuracies, strict=True)
    ]
    return sorted(placed, key=lambda one: one.rank)


def _accuracy(variant: RankedVariant) -> float:
    metric = variant.values.get("accuracy")
    return -1.0 if metric is None else metric.value


def _on_front(variant: RankedVariant, others: Sequence[RankedVariant]) -> bool | None:
    """Say whether no other variant is as good in accuracy and every cost and better in one of
    them.
    """
    mine = _merits(variant)
    if mine is None:
        return None
    theirs = [merits for other in others if (merits := _merits(other)) is not None]
    return not any(
        all(a >= b for a, b in zip(other, mine, strict=True)) and other != mine for other in theirs
    )


def _merits(variant: RankedVariant) -> tuple[float, ...] | None:
    """Accuracy and costs, the more the better."""
    cost = variant.cost
    if (
        "accuracy" not in variant.values
        or cost.parameters is None
        or cost.seconds is None
        or cost.memory is None
    ):
        return None
    return variant.values["accuracy"].value, -cost.parameters, -cost.seconds, -cost.memory
