"""Which chains a recipe asks for: one, or one per variant, subset of stages and training seed.

Everything else knows chains only. What they have in common is not decided here but by the nodes
they turn into: equal ones are one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from math import prod
from typing import Any

from stagelift.evals.nearest import did_you_mean
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import ONE_CHAIN, with_settings
from stagelift.harness.recipes.sections import (
    CHANGE_NOTHING,
    CheckpointSection,
    Recipe,
    StageSection,
    is_reporting,
)
from stagelift.harness.recipes.stage_names import stage_names

# each is a training or more: a recipe that asks for as many asks by mistake, or to do harm
_MOST_CHAINS = 1_000
# settings of which a variant changes some, and keeps the others
_BESIDE_OTHERS = ("lora", "args")
# stages, and the name of one
_DEPTH_OF_A_STAGE = 2
_NOT_VARIED = {
    "name": "it names the run",
    "seed": "use `seeds`",
    "seeds": "it has a key of its own",
    "variants": "it is where variants stand",
    "lattice": "it has a key of its own",
    "reference": "it names one of the variants",
    "evals": "variants must be measured the same way",
    **dict.fromkeys(CHANGE_NOTHING, "it changes nothing of a run"),
}


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
    variants = _variants(recipe) or [_Variant("", (), _one_chain(recipe))]
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
    variants = _variants(recipe)
    names = [variant.name for variant in variants]
    if recipe.reference is not None:
        if recipe.reference not in names:
            raise UsageError(
                f"reference is '{recipe.reference}', which is no variant. Variants: "
                f"{', '.join(names)}.{did_you_mean(recipe.reference, names)}"
            )
        return recipe.reference
    plain = _one_chain(recipe)
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


@dataclass(frozen=True)
class _Variant:
    """A variant's name, the parts that it is made of, and its recipe."""

    name: str
    parts: tuple[str, ...]
    recipe: Recipe


def _one_chain(recipe: Recipe) -> Recipe:
    """Return the recipe without its study."""
    return recipe.model_copy(update=ONE_CHAIN)


def _chain(
    variant: _Variant, seed: int, places: tuple[int, ...], *, is_one_of_several: bool
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


def _variants(recipe: Recipe) -> list[_Variant]:
    """Return the variants of a recipe, each with a name of its own."""
    plain = _one_chain(recipe)
    variants: dict[str, _Variant] = {}
    for parts, settings in _wanted_settings(recipe.variants):
        _refuse_what_cannot_be_varied(settings)
        name = ",".join(parts) or "as it is"
        if name in variants:
            raise UsageError(
                f"Two variants are called '{name}'. Name them apart in a list: variants: [{{name: "
                "one, ...}, ...]."
            )
        changed = with_settings(plain, settings, f"variant '{name}'")
        if changed.lora != plain.lora and _goes_on_with_an_adapter(plain):
            raise UsageError(
                f"Variant '{name}' changes lora, but stages go on with the adapter of the "
                "checkpoint. Vary the `lora` of a stage, which starts an adapter of its own, such "
                "as stages.sft.lora.r."
            )
        variants[name] = _Variant(name, parts or (name,), changed)
    return list(variants.values())


def _goes_on_with_an_adapter(recipe: Recipe) -> bool:
    """Say whether a stage trains an adapter on that was trained elsewhere."""
    return any(
        isinstance(before, CheckpointSection)
        and before.adapter is not None
        and isinstance(stage, StageSection)
        for before, stage in pairwise(recipe.chain())
    )


def _wanted_settings(
    variants: dict[str, list[Any]] | list[dict[str, Any]],
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the parts of a name with dotted keys: of a list's entries, or of a grid's points."""
    if isinstance(variants, list):
        yield from map(_listed, variants)
        return
    for key, values in variants.items():
        if not values:
            raise UsageError(
                f"variants.{key} is an empty list. Give it values, such as: variants: {{lora.r: "
                "[4, 16]}."
            )
    if variants:
        for point in product(*variants.values()):
            settings = dict(zip(variants, point, strict=True))
            yield _labels(settings), settings


def _listed(entry: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the name and the settings of an entry in a list of variants."""
    settings = dict(_dotted({key: value for key, value in entry.items() if key != "name"}))
    name = entry.get("name")
    if name is None or name == "":
        return _labels(settings), settings
    return (str(name),), settings


def _dotted(settings: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is nested by its dotted key, as a grid has it: `{lora: {r: 4}}` is `lora.r`.

    Only of settings that stand beside those of the recipe: a dataset replaces the other whole.
    """
    for name, value in settings.items():
        key = f"{above}{name}"
        in_stages = key.split(".")[0] == "stages" and key.count(".") < _DEPTH_OF_A_STAGE
        if isinstance(value, dict) and value and (in_stages or name in _BESIDE_OTHERS):
            yield from _dotted(value, f"{key}.")
        else:
            yield key, value


def _refuse_what_cannot_be_varied(settings: dict[str, Any]) -> None:
    for key in settings:
        reason = _NOT_VARIED.get(key.split(".")[0])
        if reason is not None:
            raise UsageError(f"variants cannot vary '{key}': {reason}.")


def _labels(settings: dict[str, Any]) -> tuple[str, ...]:
    """Write settings shortly (`r=4`, `sft.learning_rate=0.001`), in full where two look alike.

    How a stage is reported names no variant.
    """
    settings = {key: value for key, value in settings.items() if not is_reporting(key)}
    short = [_short(key) for key in settings]
    names = [
        name if short.count(name) == 1 else key for key, name in zip(settings, short, strict=True)
    ]
    return tuple(
        f"{name}={_written(value)}" for name, value in zip(names, settings.values(), strict=True)
    )


def _short(key: str) -> str:
    parts = [part for part in key.split(".") if part not in ("stages", "args", "lora")]
    return ".".join(parts) or key


def _written(value: Any) -> str:
    """Write a value shortly: `q_proj+v_proj`, and stages by their kinds: `sft+grpo`."""
    match value:
        case list():
            return "+".join(map(_written, value)) or "none"
        case dict():
            return "+".join(map(str, value))
        case bool():
            return str(value).lower()
        case None:
            return "none"
        case _:
            return str(value)
