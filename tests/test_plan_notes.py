"""What a plan is warned of, in `run` and in `plan`."""

from pathlib import Path

import pytest

from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.plan_notes import PlanNote, plan_notes
from stagelift.harness.recipes.read import load_recipe

ON_PROBLEMS = "evals.validation.limit=16"


def notes(recipe: Path, *overrides: str) -> list[PlanNote]:
    return plan_notes(make_plan(load_recipe(str(recipe), [*overrides])))


def test_validation_data_that_nothing_is_selected_by_are_named(tiny_recipe: Path) -> None:
    (note,) = notes(tiny_recipe, ON_PROBLEMS)
    assert note.about == "validation"
    assert "nothing is selected by it" in note.text and "`select: {every: 20}`" in note.text


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        [ON_PROBLEMS, "stages.dpo.select={every: 1}"],
        [ON_PROBLEMS, "variants={stages.sft.select.every: [1, 2]}"],
    ],
    ids=["none", "a stage selects", "a variant selects"],
)
def test_nothing_is_said_of_validation_data_that_are_used(
    tiny_recipe: Path, overrides: list[str]
) -> None:
    assert notes(tiny_recipe, *overrides) == []


def test_notes_of_several_kinds_come_together(tiny_recipe: Path) -> None:
    said = notes(tiny_recipe, ON_PROBLEMS, "variants={lora.r: [4, 16]}")
    assert [note.about for note in said] == ["scale", "validation"]
