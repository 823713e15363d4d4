"""Variants whose LoRA scale changes with their rank are told so."""

from pathlib import Path

import pytest

from stagelift.harness.graph.lora_scales import scale_notes
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe


def notes(recipe: Path, *overrides: str) -> list[str]:
    return scale_notes(make_plan(load_recipe(str(recipe), [*overrides])))


def test_ranks_with_one_alpha_have_several_scales(tiny_recipe: Path) -> None:
    (said,) = notes(tiny_recipe, "lora.lora_alpha=32", "variants={lora.r: [4, 16, 64]}")
    assert "rank 4, 16 and 64 all have lora_alpha 32" in said
    assert "lora_alpha / r: 8, 2 and 0.5." in said
    assert "[{lora.r: 4, lora.lora_alpha: 8}, {lora.r: 16, lora.lora_alpha: 32}, ...]" in said


def test_what_the_sentence_says_to_write_is_free_of_it(tiny_recipe: Path) -> None:
    pairs = "[{lora.r: 4, lora.lora_alpha: 8}, {lora.r: 16, lora.lora_alpha: 32}]"
    assert notes(tiny_recipe, f"variants={pairs}") == []


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["variants={lora.use_rslora: [true], lora.r: [4, 16]}"],
        ["variants={lora.lora_alpha: [8, 16]}"],
        ["lora.use_rslora=true", "variants={lora.r: [4, 16]}"],
        ["seeds=[0, 1]"],
    ],
)
def test_nothing_is_said_where_rank_and_scale_do_not_change_together(
    tiny_recipe: Path, overrides: list[str]
) -> None:
    assert notes(tiny_recipe, *overrides) == []


def test_the_ranks_of_one_stage_alone_are_looked_at_too_with_the_alpha_of_peft(
    tiny_recipe: Path,
) -> None:
    (said,) = notes(tiny_recipe, "variants={stages.dpo.lora.r: [2, 8]}")
    assert "rank 2 and 8 all have lora_alpha 8" in said and ": 4 and 1." in said
