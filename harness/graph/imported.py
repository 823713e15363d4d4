"""Imported stages as the chains of a run: one, or one for each variant and training seed."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagelift.evals.imports.results import ImportedStage
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.names import model_names

# a variant and a training seed, each None where there are none
Combination = tuple[str | None, int | None]
# slots, with the place of the stage in each
Slots = list[tuple[str, int]]


@dataclass(frozen=True)
class ImportedNode:
    """A stage in its run: its name there, and the places of those before it, base first."""

    name: str
    stage: ImportedStage
    before: tuple[int, ...]


@dataclass(frozen=True)
class ImportedChain:
    """One chain of a study: its slots, with the place of the stage that is in each."""

    variant: str
    seed: int
    slots: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ImportedGraph:
    """The stages of a run, in the order of their files.

    `chains` are empty for a plain chain; `reference` is the variant that others are compared with,
    None where there are none.
    """

    nodes: list[ImportedNode]
    chains: list[ImportedChain]
    reference: str | None

    def in_order(self) -> list[int]:
        """Return the places of stages, each after those before it."""
        if not self.chains:
            return list(range(len(self.nodes)))
        return list(dict.fromkeys(place for chain in self.chains for _, place in chain.slots))


def imported_graph(stages: Sequence[ImportedStage]) -> ImportedGraph:
    """Make chains of stages, in their order.

    A stage without a variant or a seed is in the chains of all; so is the first, where every chain
    has the same responses of it. Raises UsageError where stages do not make chains.
    """
    stages = _first_once(stages)
    combinations = _combinations(stages)
    slots = [_slots(combination, stages) for combination in combinations]
    if len(combinations) == 1:
        nodes = [
            ImportedNode(stage.name, stage, tuple(range(place)))
            for place, stage in enumerate(stages)
        ]
        return ImportedGraph(nodes, [], None)
    _refuse_gaps(combinations, slots)
    variants = list(dict.fromkeys(variant or "" for variant, _ in combinations))
    return ImportedGraph(
        nodes=_nodes(stages, slots, model_names(slots, _labels(combinations))),
        chains=[
            ImportedChain(variant or "", seed or 0, tuple(own))
            for (variant, seed), own in zip(combinations, slots, strict=True)
        ],
        reference=variants[0] if len(variants) > 1 else None,
    )


def _first_once(stages: Sequence[ImportedStage]) -> Sequence[ImportedStage]:
    """Take the first stage once where it was written down for every seed and variant."""
    first = [stage for stage in stages if stage.name == stages[0].name]
    answered = [
        [(row.id, row.sample, row.response) for row in stage.generations] for stage in first
    ]
    is_shared = all(sorted(rows) == sorted(answered[0]) for rows in answered)
    if len(first) == 1 or len(first) == len(stages) or not is_shared or not answered[0]:
        return stages
    others = [stage for stage in stages if stage.name != stages[0].name]
    return [first[0]._replace(variant=None, seed=None), *others]


def _combinations(stages: Sequence[ImportedStage]) -> list[Combination]:
    """Return what tells chains apart, in order of appearance; what others only add to is shared."""
    given = list(dict.fromkeys((stage.variant, stage.seed) for stage in stages))
    return [
        mine
        for mine in given
        if not any(other != mine and _is_part(mine, other) for other in given)
    ]


def _is_part(shared: Combination, of: Combination) -> bool:
    """Say whether all that a combination names is in another one, too."""
    return all(mine in (None, theirs) for mine, theirs in zip(shared, of, strict=True))


def _slots(combination: Combination, stages: Sequence[ImportedStage]) -> Slots:
    """Return the stages of a chain: of several by one name, the one that says most of it."""
    chosen: dict[str, tuple[int, int]] = {}
    for place, stage in enumerate(stages):
        if _is_part((stage.variant, stage.seed), combination):
            said = (stage.variant is not None) + (stage.seed is not None)
            known = chosen.get(stage.name)
            if known is None or said > known[0]:
                chosen[stage.name] = (said, place)
    return [(slot, place) for slot, (_, place) in chosen.items()]


def _refuse_gaps(combinations: Sequence[Combination], chains: Sequence[Slots]) -> None:
    """Refuse seeds of one variant that do not have the same stages, in one order."""
    first: dict[str | None, tuple[Combination, list[str]]] = {}
    for combination, slots in zip(combinations, chains, strict=True):
        names = [slot for slot, _ in slots]
        other, wanted = first.setdefault(combination[0], (combination, names))
        if names != wanted:
            raise UsageError(
                f"{_words(other)} has the stages {', '.join(wanted)}, and {_words(combination)} "
                f"{', '.join(names)}, so nothing was imported. Every seed of a variant needs the "
                "same stages, in one order."
            )


def _words(combination: Combination) -> str:
    variant, seed = combination
    named = [f"variant '{variant}'" if variant else "", f"seed {seed}" if seed is not None else ""]
    return ", ".join(filter(None, named)) or "the chain without a variant"


def _labels(combinations: Sequence[Combination]) -> list[tuple[str, ...]]:
    """Name chains by variant and seed, as far as these differ."""
    variants = {variant for variant, _ in combinations}
    seeds = {seed for _, seed in combinations}
    return [
        (
            *([variant] if variant and len(variants) > 1 else []),
            *([f"seed={seed}"] if seed is not None and len(seeds) > 1 else []),
        )
        for variant, seed in combinations
    ]


def _nodes(
    stages: Sequence[ImportedStage], chains: Sequence[Slots], names: dict[int, str]
) -> list[ImportedNode]:
    """Return every stage with those before it, in its own place.

    Raises UsageError where a stage that chains share comes after one that they do not share.
    """
    before: dict[int, tuple[int, ...]] = {}
    for slots in chains:
        places = [place for _, place in slots]
        for position, place in enumerate(places):
            earlier = tuple(places[:position])
            if before.setdefault(place, earlier) != earlier:
                raise UsageError(
                    f"Stage '{stages[place].name}' is the same in several chains, but not the "
                    "stages before it, so nothing was imported. Give its rows their variant and "
                    "seed."
                )
    return [ImportedNode(names[place], stage, before[place]) for place, stage in enumerate(stages)]
