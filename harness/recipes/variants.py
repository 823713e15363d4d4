"""The variants of a recipe: what each sets, and what it is called for that."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import one_chain, with_settings
from stagelift.harness.recipes.sections import (
    CHANGE_NOTHING,
    CheckpointSection,
    Recipe,
    StageSection,
)
from stagelift.harness.recipes.variant_names import labels_of

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
class Variant:
    """A variant's name, the parts that it is made of, and its recipe."""

    name: str
    parts: tuple[str, ...]
    recipe: Recipe


@dataclass(frozen=True)
class _Wanted:
    """What a variant sets, by dotted keys, and the name that the recipe gives it, if any."""

    settings: dict[str, Any]
    name: str | None = None


def variants_of(recipe: Recipe) -> list[Variant]:
    """Return the variants of a recipe, each with a name of its own.

    Raises UsageError where two have one name, or a variant cannot be what it asks for.
    """
    wanted = list(_wanted(recipe.variants))
    for asked in wanted:
        _refuse_what_cannot_be_varied(asked.settings)
    labels = labels_of([asked.settings for asked in wanted])
    variants: dict[str, Variant] = {}
    for asked, parts in zip(wanted, labels, strict=True):
        variant = _variant(recipe, asked, (asked.name,) if asked.name else parts)
        if variant.name in variants:
            raise UsageError(
                f"Two variants are called '{variant.name}'. Name them apart in a list: variants: "
                "[{name: one, ...}, ...]."
            )
        variants[variant.name] = variant
    return list(variants.values())


def _wanted(variants: dict[str, list[Any]] | list[dict[str, Any]]) -> Iterator[_Wanted]:
    """Yield what each entry of a list sets, or each point of a grid."""
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
            yield _Wanted(dict(zip(variants, point, strict=True)))


def _listed(entry: dict[str, Any]) -> _Wanted:
    settings = {key: value for key, value in entry.items() if key != "name"}
    name = entry.get("name")
    return _Wanted(dict(_dotted(settings)), None if name in (None, "") else str(name))


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


def _variant(recipe: Recipe, wanted: _Wanted, parts: tuple[str, ...]) -> Variant:
    plain = one_chain(recipe)
    name = ",".join(parts) or "as it is"
    changed = with_settings(plain, wanted.settings, f"variant '{name}'")
    if changed.lora != plain.lora and _goes_on_with_an_adapter(plain):
        raise UsageError(
            f"Variant '{name}' changes lora, but stages go on with the adapter of the checkpoint. "
            "Vary the `lora` of a stage, which starts an adapter of its own, such as "
            "stages.sft.lora.r."
        )
    return Variant(name, parts or (name,), changed)


def _goes_on_with_an_adapter(recipe: Recipe) -> bool:
    """Say whether a stage trains an adapter on that was trained elsewhere."""
    return any(
        isinstance(before, CheckpointSection)
        and before.adapter is not None
        and isinstance(stage, StageSection)
        for before, stage in pairwise(recipe.chain())
    )
