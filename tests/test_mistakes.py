"""What is wrong with a recipe, in one sentence."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from stagelift.harness.recipes.mistakes import first_mistake
from stagelift.harness.recipes.sections import Recipe

PLAIN: dict[str, Any] = {
    "name": "mine",
    "stages": [{"sft": {}}],
    "evals": {"accuracy": {"limit": 2}},
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"staegs": []}, "Unknown key 'staegs' in mine.yaml: did you mean 'stages'? Known keys"),
        (
            {"evals": {"accuracy": {"limti": 2}}},
            "Unknown key 'evals.accuracy.limti' in mine.yaml: did you mean 'limit'?",
        ),
        ({"evals": {"accuracy": {"zzz": 2}}}, "in mine.yaml: Known keys there: "),
        ({"seed": "some"}, "Key 'seed' in mine.yaml is 'some', which does not fit: "),
        ({"name": None, "evals": None}, "in mine.yaml is None, which does not fit: "),
        ({"seed": -1}, "Key 'seed' in mine.yaml is -1, which does not fit: "),
        ({"seed": 2**32}, "Key 'seed' in mine.yaml is 4294967296, which does not fit: "),
        ({"seed": True}, "Key 'seed' in mine.yaml is True, not a number."),
        (
            {"data": {"path": "a", "chat": "perhaps"}},
            "Key 'data.chat' in mine.yaml is 'perhaps', neither true nor false.",
        ),
        ({"seed": 1.0}, "Key 'seed' in mine.yaml is 1.0, which does not fit: "),
        ({"seeds": [0, 0]}, "seeds names 0 twice"),
        ({"seeds": [0, -1]}, "Key 'seeds.1' in mine.yaml is -1, which does not fit: "),
        ({"data": {"path": "a", "limit": 0}}, "Key 'data.limit' in mine.yaml is 0"),
        (
            {"data": {"path": "a", "limit": True}},
            "Key 'data.limit' in mine.yaml is True, not a number.",
        ),
        (
            {"evals": {"accuracy": {"limit": 2, "batch_size": True}}},
            "Key 'evals.accuracy.batch_size' in mine.yaml is True, not a number.",
        ),
        (
            {"evals": {"accuracy": {"limit": 2, "temperature": math.inf}}},
            "Key 'evals.accuracy.temperature' in mine.yaml is inf, which does not fit: ",
        ),
        ({"evals": {"accuracy": {"limit": 2, "max_tokens": 0}}}, "'evals.accuracy.max_tokens'"),
    ],
)
def test_the_first_mistake_is_said_with_its_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate(PLAIN | changes)
    assert says in first_mistake(refused.value, "mine.yaml")


def test_a_misspelt_key_is_said_rather_than_that_it_is_missing() -> None:
    renamed = {"nmae": "mine", **{key: PLAIN[key] for key in ("stages", "evals")}}
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate(renamed)
    assert "did you mean 'name'?" in first_mistake(refused.value, "mine.yaml")
