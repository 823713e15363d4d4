"""Which chains a recipe asks for: one, or one per variant, subset of stages and training seed.

Everything else knows chains only. What they have in common is not decided here but by the nodes
they turn into: equal ones are one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import prod

from stagelift.evals.nearest import did_you_mean
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import one_chain
from stagelift.harness.recipes.sections import (
    CheckpointSection,
    Recipe,
    StageSection,
)
from stagelift.harness.recipes.stage_names import stage_names
from stagelift.harness.recipes.variants import Variant, variants_of

# each is a training or more: a recipe that asks for as many asks by mistake, or to do harm
_MOST_CHAINS = 1_000


@dataclass(frozen=True)
class WantedChain:
    """One chain: a recipe without a study, and what tells it from the others.

    `labels` name it by variant and seed, as far as these differ between chains. `slots` are what
    its stages are called in every chain that has them (`sft`, `dpo`, `dpo-2`), whatever the nodes
    are called in the run.
    """

    recipe: Recipe
    variant: str
    labels: tuple[str, ...]
    slots: tuple[str, ...]


def wanted_chains(recipe: Recipe) -> list[WantedChain]:
    """Return the chains of a recipe: by variant, then by seed, then by size of the subset.

    Raises UsageError where a variant cannot be read, and for more chains than anybody trains.
    """
    _refuse_too_many(recipe)
    variants = variants_of(recipe) or [Variant("", (), one_chain(recipe))]
    seeds = recipe.seeds or [recipe.seed]
    return [
        _chain(variant, seed, places, is_one_of_several=len(seeds) > 1)
        for variant in variants
        for seed in seeds
        for places in _subsets(len(variant.recipe.chain()), lattice=recipe.lattice)
    ]


def reference_variant(recipe: Recipe) -> str | None:
    """Name the variant that the others are compared with; None where there are no variants.

    It is the one that the recipe names, else the one that changes nothing, else the first.
    """
    variants = variants_of(recipe)
    names = [variant.name for variant in variants]
    if recipe.reference is not None:
        if recipe.reference not in names:
            raise UsageError(
                f"reference is '{recipe.reference}', which is no variant. Variants: "
                f"{', '.join(names)}.{did_you_mean(recipe.reference, names)}"
            )
        return recipe.reference
    plain = one_chain(recipe)
    unchanged = [variant.name for variant in variants if variant.recipe == plain]
    return next(iter([*unchanged, *names]), None)


def _refuse_too_many(recipe: Recipe) -> None:
    """Count the chains before any is made: a lattice of thirty stages has a billion."""
    grid = recipe.variants
    variants = len(grid) if isinstance(grid, list) else prod(map(len, grid.values()))
    subsets = 2 ** len(recipe.chain()) if recipe.lattice else 1
    chains = max(variants, 1) * max(len(recipe.seeds), 1) * subsets
    if chains > _MOST_CHAINS:
        asked = f"{chains:,}" if chains < 10**12 else "more than a trillion"
        raise UsageError(
            f"The recipe asks for {asked} chains (variants x seeds x subsets of the stages), and a "
            f"run has at most {_MOST_CHAINS:,}. Ask for fewer."
        )


def _chain(
    variant: Variant, seed: int, places: tuple[int, ...], *, is_one_of_several: bool
) -> WantedChain:
    """Return the chain of the stages at these places, trained with this seed."""
    stages = variant.recipe.chain()
    names = stage_names([_called(stage) for stage in stages])
    chosen = {
        "seed": seed,
        "checkpoint": None,
        "stages": [stages[place] for place in places],
    }
    seed_label = (f"seed={seed}",) if is_one_of_several else ()
    return WantedChain(
        recipe=variant.recipe.model_copy(update=chosen),
        variant=variant.name,
        labels=variant.parts + seed_label,
        slots=tuple(names[place] for place in places),
    )


def _called(stage: StageSection | CheckpointSection) -> str:
    return stage.name if isinstance(stage, CheckpointSection) else stage.kind


def _subsets(count: int, *, lattice: bool) -> Iterator[tuple[int, ...]]:
    """Yield places of stages, in the order of the list: all of them, or every subset."""
    sizes = range(count + 1) if lattice else [count]
    for size in sizes:
        yield from combinations(range(count), size)
