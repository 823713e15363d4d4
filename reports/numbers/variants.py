"""Variants of a recipe against one of them, stage by stage: ranked, Holm-adjusted, with what each
cost.

Differences are paired by prompt; with three seeds or more they are paired by seed, and the interval
is over seeds. With fewer it covers the choice of prompts only: two checkpoints are compared, and
another seed would give others. The Pareto front takes the values as they are, noise and all, and
of costs those alone that are the same on a busy machine: no minutes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf

from stagelift.evals.metrics.measures import is_of_own_task, leading, measure
from stagelift.evals.records import Metric
from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.planning import detectable, needed
from stagelift.reports.numbers.families import Decided, Test, adjust, equal_test
from stagelift.reports.numbers.headline import is_headline
from stagelift.reports.numbers.seeds import (
    difference_over_seeds,
    mean_over_seeds,
    seed_differences,
)
from stagelift.reports.numbers.values import (
    is_of_base,
    largest_difference,
    mean_of,
    model_metrics,
    model_values,
)
from stagelift.reports.numbers.verdicts import Decision, decide
from stagelift.reports.records import RunRecord, StageRecord

# what is compared beside the headline metrics: they have no win rate against base
COMPARED_TOO = ("win_rate_base", "length_chars")
WHOLE_CHAIN = "the whole chain"


@dataclass(frozen=True)
class Cost:
    """What it took to get a variant to a stage: parameters of its adapters, tokens and seconds of
    the training of all stages up to it, largest memory.

    With several seeds tokens and seconds are their mean. None where that is not known.
    """

    parameters: int | None
    tokens: float | None
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class VariantDifference:
    """A metric's difference to the reference variant, in its own unit; `n` counts prompts, or seeds
    (`over`).

    `p_adjusted`, `level`, `mde` and `needed` are as in a comparison of stages, in a family of
    variants.
    """

    metric: str
    delta: float
    low: float
    high: float
    n: int
    over: str
    p: float
    p_adjusted: float
    level: float
    mde: float | None
    needed: int | None
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
        made = (difference for difference in self.differences if difference.metric == metric)
        return next(made, None)


@dataclass(frozen=True)
class _Tested:
    """A difference to the reference before its family is known; `test` is what equal tests
    share.
    """

    metric: str
    difference: Difference
    over: str
    test: Test


def rank_variants(run: RunRecord) -> list[RankedVariant]:
    """Return every variant at every stage at which variants differ, best accuracy first; Holm runs
    over all of them and all their metrics, equal tests once.
    """
    if run.reference is None:
        return []
    compared = [
        compared for place, stages in _places(run) for compared in _compared(run, place, stages)
    ]
    family = {one.test: one.difference.p for _, tested in compared for one in tested}
    decided = adjust("variants", family)
    variants = [
        replace(variant, differences=tuple(_decided(one, decided[one.test]) for one in tested))
        for variant, tested in compared
    ]
    return [
        variant
        for _, at_stage in groupby(variants, key=lambda variant: variant.stage)
        for variant in _ranked(list(at_stage))
    ]


def _places(run: RunRecord) -> Iterator[tuple[str, dict[str, list[StageRecord]]]]:
    """Yield each slot with the stages in it by variant, and the ends of the chains where these are
    of different slots.
    """
    variants = _chains(run)
    slots = dict.fromkeys(
        slot for chains in variants.values() for chain in chains for slot in chain
    )
    for slot in slots:
        yield (
            slot,
            {
                variant: [chain[slot] for chain in chains]
                for variant, chains in variants.items()
                if all(slot in chain for chain in chains)
            },
        )
    are_complete = all(chain.complete for chain in run.chains)
    last_slots = {list(chains[0])[-1] for chains in variants.values()}
    if are_complete and len(last_slots) > 1:
        yield (
            WHOLE_CHAIN,
            {
                variant: [list(chain.values())[-1] for chain in chains]
                for variant, chains in variants.items()
            },
        )


def _chains(run: RunRecord) -> dict[str, list[dict[str, StageRecord]]]:
    """The chains of each variant, one a seed: their stages by slot."""
    chains: dict[str, list[dict[str, StageRecord]]] = {}
    for chain in run.chains:
        stages = {slot: run.stage(name) for slot, name in chain.stages.items()}
        chains.setdefault(chain.variant, []).append(stages)
    return chains


def _compared(
    run: RunRecord, place: str, stages: dict[str, list[StageRecord]]
) -> list[tuple[RankedVariant, list[_Tested]]]:
    """Compare the variants at one place with the reference; none where all of them are the same
    models there.
    """
    models = {tuple(stage.name for stage in seeds) for seeds in stages.values()}
    if len(models) < 2 or run.reference is None:
        return []
    every = [stage for seeds in stages.values() for stage in seeds]
    names = [name for name in model_metrics(every) if _counts(name, every)]
    reference = stages.get(run.reference)
    compared = []
    for variant, seeds in stages.items():
        ranked = RankedVariant(
            run=run.name,
            stage=place,
            variant=variant,
            reference=run.reference,
            members=tuple(stage.name for stage in seeds),
            values={name: _value(name, run, seeds) for name in names},
            cost=_cost(run, seeds),
            differences=(),
            # placed among the others by `_ranked`
            rank=0,
            on_front=None,
        )
        compared.append((ranked, list(_tests(run, names, seeds, reference))))
    return compared


def _counts(name: str, stages: Sequence[StageRecord]) -> bool:
    """Say whether variants are compared in a metric that all of them have: what reports are read
    for, and every score of the user's main task.
    """
    is_told = name in COMPARED_TOO or is_of_own_task(name, None)
    return all(
        name in stage.evaluation.metrics and (is_told or is_headline(measure(name), stage))
        for stage in stages
    )


def _value(name: str, run: RunRecord, stages: Sequence[StageRecord]) -> Metric:
    """Return a metric over seeds where they give an interval; else of their mean by prompt, over
    prompts.
    """
    if len(stages) == 1:
        return stages[0].evaluation.metrics[name]
    over = mean_over_seeds(name, [stage.evaluation.metrics[name].value for stage in stages])
    if over is not None:
        return over
    return mean_of(name, list(_seed_means(name, run, stages).values()))


def _tests(
    run: RunRecord,
    names: Sequence[str],
    stages: Sequence[StageRecord],
    reference: Sequence[StageRecord] | None,
) -> Iterator[_Tested]:
    """Yield the differences to the reference, which has none to itself, nor where it is missing."""
    if reference is None or reference == stages:
        return
    bases = {run.base(stage).name for stage in (*stages, *reference)}
    if len(bases) > 1:
        names = [name for name in names if not is_of_base(name)]
    for name in names:
        by_seed = seed_differences(run, name, stages, reference)
        if by_seed is None:
            continue
        tested = _over_seeds(name, by_seed) or _over_prompts(run, name, stages, reference)
        if tested is not None:
            yield tested


def _over_seeds(name: str, by_seed: Sequence[float]) -> _Tested | None:
    bounds = measure(name).bounds
    bound = inf if bounds is None else bounds[1] - bounds[0]
    made = difference_over_seeds(by_seed, bound)
    if made is None:
        return None
    changes = {f"seed {place}": change for place, change in enumerate(by_seed)}
    return _Tested(name, made, "seeds", equal_test(changes, 1.0))


def _over_prompts(
    run: RunRecord, name: str, stages: Sequence[StageRecord], reference: Sequence[StageRecord]
) -> _Tested | None:
    mine, theirs = _seed_means(name, run, stages), _seed_means(name, run, reference)
    changes = {prompt: mine[prompt] - theirs[prompt] for prompt in mine if prompt in theirs}
    if not changes:
        return None
    seen = [values[prompt] for values in (mine, theirs) for prompt in changes]
    bound, known = largest_difference(name, seen), stages[0].clusters(name)
    clusters = [known.get(prompt, prompt) for prompt in changes] if known else None
    made = difference(list(changes.values()), bound=bound, clusters=clusters)
    return _Tested(name, made, "prompts", equal_test(changes, bound))


def _seed_means(name: str, run: RunRecord, stages: Sequence[StageRecord]) -> dict[str, float]:
    """Return the mean over seeds by prompt."""
    by_seed = [model_values(name, stage, run.base(stage)) for stage in stages]
    shared = [prompt for prompt in by_seed[0] if all(prompt in values for values in by_seed)]
    return {prompt: sum(values[prompt] for values in by_seed) / len(by_seed) for prompt in shared}


def _cost(run: RunRecord, stages: Sequence[StageRecord]) -> Cost:
    """Base cost nothing; what an adapter from elsewhere did is not known."""
    chains = [run.chain(stage)[1:] for stage in stages]
    trainings = [stage.training for chain in chains for stage in chain]
    known = [training for training in trainings if training is not None]
    if len(known) < len(trainings):
        return Cost(None, None, None, None)
    adapters = (*stages[0].merged, stages[0].name)
    return Cost(
        parameters=sum(_parameters(run, adapter) for adapter in adapters),
        tokens=sum(training.tokens for training in known) / len(stages),
        seconds=sum(training.seconds for training in known) / len(stages),
        memory=max((training.peak_memory_bytes for training in known), default=0),
    )


def _parameters(run: RunRecord, name: str) -> int:
    """Count what an adapter of the model trained."""
    training = run.stage(name).training
    return 0 if training is None else training.trainable_parameters


def _decided(tested: _Tested, decided: Decided) -> VariantDifference:
    made = tested.difference
    return VariantDifference(
        metric=tested.metric,
        delta=made.delta,
        low=made.low,
        high=made.high,
        n=made.n,
        over=tested.over,
        p=made.p,
        p_adjusted=decided.p_adjusted,
        level=decided.level,
        mde=detectable(made, decided.level),
        needed=needed(made, decided.level) if tested.over == "prompts" else None,
        verdict=decide(tested.metric, made, decided.p_adjusted),
    )


def _ranked(variants: list[RankedVariant]) -> list[RankedVariant]:
    """Sort by accuracy, as it is, and mark the front."""
    placed = []
    for variant in variants:
        better = sum(_accuracy(rival) > _accuracy(variant) for rival in variants)
        on_front = _on_front(variant, variants)
        placed.append(replace(variant, rank=1 + better, on_front=on_front))
    return sorted(placed, key=lambda variant: variant.rank)


def _accuracy(variant: RankedVariant) -> float:
    metric = variant.values.get(leading(variant.values) or "accuracy")
    return -math.inf if metric is None else metric.value


def _on_front(variant: RankedVariant, variants: Sequence[RankedVariant]) -> bool | None:
    """Say whether no other variant is as good in accuracy and every cost that counts and better in
    one of them.
    """
    mine = _merits(variant)
    if mine is None:
        return None
    rivals = [merits for rival in variants if (merits := _merits(rival)) is not None]
    return not any(_dominates(merits, mine) for merits in rivals)


def _dominates(merits: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return merits != others and all(a >= b for a, b in zip(merits, others, strict=True))


def _merits(variant: RankedVariant) -> tuple[float, ...] | None:
    """Accuracy and costs, the more the better; seconds say how busy the machine was, too."""
    accuracy, cost = variant.values.get(leading(variant.values) or "accuracy"), variant.cost
    if accuracy is None:
        return None
    if cost.parameters is None or cost.tokens is None or cost.memory is None:
        return None
    return accuracy.value, -cost.parameters, -cost.tokens, -cost.memory
