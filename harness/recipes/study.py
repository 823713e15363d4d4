"""Which chains a recipe asks for: one, or one per variant, subset of stages and training seed.

Everything else knows chains only. What they have in common is not decided here but by the nodes
they turn into: equal ones are one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import ONE_CHAIN, with_settings
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.stage_names import stage_names

_NOT_VARIED = {
    "name": "it names the run",
    "seed": "use `seeds`",
    "seeds": "it has a key of its own",
    "variants": "it is where variants stand",
    "lattice": "it has a key of its own",
    "reference": "it names one of the variants",
    "evals": "variants must be measured the same way",
    "gates": "it changes nothing of a run",
    "ray": "it changes nothing of a run",
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
    """Return the chains of a recipe, variant by variant, then by seed, small subsets of a lattice
    first.

    Raises UsageError where a variant cannot be read.
    """
    plain = recipe.model_copy(update=ONE_CHAIN)
    variants = _variants(recipe, plain) or {"": ((), plain)}
    seeds = recipe.seeds or [recipe.seed]
    return [
        WantedChain(
            one.model_copy(
                update={"seed": seed, "stages": [one.stages[place] for place in places]}
            ),
            variant,
            (*parts, *([f"seed={seed}"] if len(seeds) > 1 else [])),
            tuple(stage_names([stage.kind for stage in one.stages])[place] for place in places),
        )
        for variant, (parts, one) in variants.items()
        for seed in seeds
        for places in _subsets(len(one.stages), lattice=recipe.lattice)
    ]


def reference_variant(recipe: Recipe) -> str | None:
    """Name the variant that the others are compared with: the one the recipe says, else the recipe
    as it is, else the first.
    """
    plain = recipe.model_copy(update=ONE_CHAIN)
    variants = {name: one for name, (_, one) in _variants(recipe, plain).items()}
    if recipe.reference is not None and recipe.reference not in variants:
        raise UsageError(
            f"reference is '{recipe.reference}', which is no variant. Variants: "
            f"{', '.join(variants)}."
        )
    unchanged = next((name for name, one in variants.items() if one == plain), None)
    return next(
        (name for name in (recipe.reference, unchanged, *variants) if name is not None), None
    )


def _subsets(count: int, *, lattice: bool) -> Iterator[tuple[int, ...]]:
    """Yield places of stages, in the order of the list: all of them, or every subset."""
    for size in range(count + 1) if lattice else (count,):
        yield from combinations(range(count), size)


def _variants(recipe: Recipe, plain: Recipe) -> dict[str, tuple[tuple[str, ...], Recipe]]:
    """Return each variant by name: the parts of the name, and its recipe."""
    found: dict[str, tuple[tuple[str, ...], Recipe]] = {}
    for name, settings in _settings(recipe.variants):
        _check_varied(settings)
        parts = (
            (name,)
            if name
            else tuple(_label(key, value, list(settings)) for key, value in settings.items())
        )
        title = ",".join(parts) or "as it is"
        if title in found:
            raise UsageError(
                f"Two variants are called '{title}'. Name them apart in a list: variants: [{{name: "
                "one, ...}, ...]."
            )
        found[title] = parts or (title,), with_settings(plain, settings, f"variant '{title}'")
        if plain.checkpoint is not None and found[title][1].lora != plain.lora:
            raise UsageError(
                f"Variant '{title}' changes lora, but stages go on with the adapter of the "
                "checkpoint. Vary the `lora` of a stage, which starts an adapter of its own, such "
                "as stages.sft.lora.r."
            )
    return found


def _settings(
    variants: dict[str, list[Any]] | list[dict[str, Any]],
) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield a name, where it was given, and dotted keys with their values: of a list's entries, or
    a grid's points.
    """
    if isinstance(variants, list):
        for entry in variants:
            name = entry.get("name")
            yield (
                None if name is None else str(name),
                {key: value for key, value in entry.items() if key != "name"},
            )
        return
    for key, values in variants.items():
        if not values:
            raise UsageError(
                f"variants.{key} is an empty list. Give it values, such as: variants: {{lora.r: "
                "[4, 16]}."
            )
    for point in product(*variants.values()) if variants else ():
        yield None, dict(zip(variants, point, strict=True))


def _check_varied(settings: dict[str, Any]) -> None:
    for key in settings:
        why = _NOT_VARIED.get(key.split(".")[0])
        if why is not None:
            raise UsageError(f"variants cannot vary '{key}': {why}.")


def _label(key: str, value: Any, keys: list[str]) -> str:
    """Write one setting shortly: `r=4`, `sft.learning_rate=0.001`, `target_modules=q_proj+v_proj`,
    `stages=sft+grpo`.
    """
    short = _short(key)
    name = key if [_short(other) for other in keys].count(short) > 1 else short
    return f"{name}={_written(value)}"


def _short(key: str) -> str:
    return (
        ".".join(part for part in key.split(".") if part not in ("stages", "args", "lora")) or key
    )


def _written(value: Any) -> str:
    match value:
        case list():
            return "+".join(_written(one) for one in value) or "none"
        case dict():
            return "+".join(map(str, value))
        case bool():
            return str(value).lower()
        case _:
            return str(value)
