"""What each stage added, of all subsets of stages: Shapley values, pairwise interactions, alone and
on top of the others.

A stage's Shapley value is what it adds on average over the subsets of the others, weighted so that
the values of all stages sum to what the full chain added to base (Shapley 1953). The interaction of
two stages is what both add together beyond what each adds without the other, averaged alike
(Grabisch and Roubens 1999). Stages are always trained in the recipe's order: nothing here says what
another order would give. All of it is linear, so it is computed prompt by prompt and the interval
is the paired one over prompts; with three seeds or more, which differ, it is over seeds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import factorial

from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.families import holm
from stagelift.reports.numbers.seeds import difference_over_seeds
from stagelift.reports.numbers.values import largest_difference, model_metrics, model_values
from stagelift.reports.records import RunRecord, StageRecord

Subset = frozenset[str]
# a metric of the model with these stages, by prompt
Values = Mapping[Subset, Mapping[str, float]]


@dataclass(frozen=True)
class Effect:
    """A difference in the metric's unit with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Attribution:
    """A stage's Shapley value for a metric, and what it added to base `alone` and `on_top` of all
    the others.

    `whole` is what the full chain added, the same for all its stages: their values sum to it. `n`
    counts prompts, or seeds where there are three or more (`over`).
    """

    run: str
    metric: str
    stage: str
    value: float
    low: float
    high: float
    n: int
    over: str
    alone: Effect
    on_top: Effect
    whole: Effect


@dataclass(frozen=True)
class Interaction:
    """The interaction of two stages for a metric: below zero they add less together than each
    without the other.

    `p_adjusted` is Holm's over all interactions of the run.
    """

    run: str
    metric: str
    stages: tuple[str, str]
    value: float
    low: float
    high: float
    n: int
    over: str
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class _Lattice:
    """The values of one metric for all subsets, one mapping per seed; `clusters` are the prompts'
    where they come in any.
    """

    run: str
    metric: str
    stages: tuple[str, ...]
    seeds: list[Values]
    clusters: Mapping[str, str]

    def effect(self, weights: Mapping[Subset, float]) -> tuple[Difference, str]:
        """Return the weighted sum over subsets with its interval, and over what that is."""
        by_seed = [_weighted(weights, values) for values in self.seeds]
        means = [sum(values.values()) / len(values) for values in by_seed if values]
        most = self._largest_sum(weights)
        over_seeds = difference_over_seeds(means, most)
        if over_seeds is not None:
            return over_seeds, "seeds"
        first = by_seed[0]
        shared = [prompt for prompt in first if all(prompt in values for values in by_seed)]
        averaged = [sum(values[prompt] for values in by_seed) / len(by_seed) for prompt in shared]
        clusters = [self.clusters.get(prompt, prompt) for prompt in shared]
        made = difference(averaged, bound=most, clusters=clusters if self.clusters else None)
        return made, "prompts"

    def _largest_sum(self, weights: Mapping[Subset, float]) -> float:
        """Return the most that values of the metric can sum up to."""
        models = [model for values in self.seeds for model in values.values()]
        seen = (value for model in models for value in model.values())
        most = sum(weight for weight in weights.values() if weight > 0)
        return largest_difference(self.metric, seen) * most


def attribution(run: RunRecord) -> list[Attribution]:
    """Return each stage's share of every metric; empty where the run is no lattice, or not all of
    it is evaluated.
    """
    return [_attribution(lattice, stage) for lattice in _lattices(run) for stage in lattice.stages]


def interactions(run: RunRecord) -> list[Interaction]:
    """Return the interaction of every two stages for every metric; empty where `attribution` is."""
    found = [
        _interaction(lattice, pair)
        for lattice in _lattices(run)
        for pair in combinations(lattice.stages, 2)
    ]
    adjusted = holm([interaction.p for interaction in found])
    return [
        replace(interaction, p_adjusted=p) for interaction, p in zip(found, adjusted, strict=True)
    ]


def _attribution(lattice: _Lattice, stage: str) -> Attribution:
    base: Subset = frozenset()
    alone = frozenset([stage])
    everything = frozenset(lattice.stages)
    shapley, over = lattice.effect(_shapley_weights(stage, lattice.stages))
    return Attribution(
        run=lattice.run,
        metric=lattice.metric,
        stage=stage,
        value=shapley.delta,
        low=shapley.low,
        high=shapley.high,
        n=shapley.n,
        over=over,
        alone=_effect(lattice, {alone: 1.0, base: -1.0}),
        on_top=_effect(lattice, {everything: 1.0, everything - alone: -1.0}),
        whole=_effect(lattice, {everything: 1.0, base: -1.0}),
    )


def _effect(lattice: _Lattice, weights: Mapping[Subset, float]) -> Effect:
    made, _ = lattice.effect(weights)
    return Effect(made.delta, made.low, made.high)


def _interaction(lattice: _Lattice, pair: tuple[str, str]) -> Interaction:
    made, over = lattice.effect(_interaction_weights(pair, lattice.stages))
    return Interaction(
        run=lattice.run,
        metric=lattice.metric,
        stages=pair,
        value=made.delta,
        low=made.low,
        high=made.high,
        n=made.n,
        over=over,
        p=made.p,
        p_adjusted=made.p,
    )


def _shapley_weights(stage: str, stages: tuple[str, ...]) -> dict[Subset, float]:
    weights: dict[Subset, float] = {}
    others = [name for name in stages if name != stage]
    for subset in _subsets(others):
        weight = (
            factorial(len(subset))
            * factorial(len(stages) - len(subset) - 1)
            / factorial(len(stages))
        )
        weights[subset | {stage}] = weight
        weights[subset] = -weight
    return weights


def _interaction_weights(pair: tuple[str, str], stages: tuple[str, ...]) -> dict[Subset, float]:
    first, second = pair
    weights: dict[Subset, float] = {}
    others = [name for name in stages if name not in pair]
    for subset in _subsets(others):
        weight = (
            factorial(len(subset))
            * factorial(len(stages) - len(subset) - 2)
            / factorial(len(stages) - 1)
        )
        weights |= {
            subset | {first, second}: weight,
            subset | {first}: -weight,
            subset | {second}: -weight,
            subset: weight,
        }
    return weights


def _subsets(stages: list[str]) -> Iterator[Subset]:
    for size in range(len(stages) + 1):
        yield from map(frozenset, combinations(stages, size))


def _weighted(weights: Mapping[Subset, float], values: Values) -> dict[str, float]:
    """Sum up prompt by prompt, over the prompts that every model has a value for, so that the parts
    stay parts of one whole.
    """
    models = list(values.values())
    shared = [prompt for prompt in models[0] if all(prompt in model for model in models)]
    return {
        prompt: sum(weight * values[subset][prompt] for subset, weight in weights.items())
        for prompt in shared
    }


def _lattices(run: RunRecord) -> list[_Lattice]:
    """Read every metric of a lattice whose models are all evaluated."""
    if not run.lattice or run.missing:
        return []
    seeds = list(_models(run).values())
    longest = max((chain.stages for chain in run.chains), key=len, default={})
    # without base
    stages = tuple(longest)[1:]
    if not seeds or any(len(models) < 2 ** len(stages) for models in seeds):
        return []
    every_model = [stage for models in seeds for stage in models.values()]
    return [
        _Lattice(
            run=run.name,
            metric=name,
            stages=stages,
            seeds=[_values(name, models, run) for models in seeds],
            clusters=every_model[0].clusters(name),
        )
        for name in model_metrics(every_model)
    ]


def _models(run: RunRecord) -> dict[int, dict[Subset, StageRecord]]:
    """The last stage of every chain, by seed and by the stages that were trained on the way."""
    models: dict[int, dict[Subset, StageRecord]] = {}
    for chain in run.chains:
        slots, names = list(chain.stages), list(chain.stages.values())
        trained = frozenset(slots[1:])
        models.setdefault(chain.seed, {})[trained] = run.stage(names[-1])
    return models


def _values(name: str, models: Mapping[Subset, StageRecord], run: RunRecord) -> Values:
    base = models[frozenset()]
    full = model_values(name, models[max(models, key=len)], base)
    return {
        subset: model_values(name, stage, run.base(stage), full) for subset, stage in models.items()
    }
