"""Gates that a recipe does not measure are refused before anything is trained."""

from typing import Any

import pytest

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.gated import check_gates, known_metrics
from stagelift.harness.recipes.sections import Recipe

OWN: dict[str, Any] = {
    "accuracy": {"task": "mine", "data": "test.jsonl", "scorers": ["exact", "exact"]},
    "tasks": [{"task": "labels", "data": "labels.jsonl", "scorers": ["choice"]}],
}


def recipe(gates: dict[str, Any], evals: dict[str, Any], **other: Any) -> Recipe:
    return Recipe.model_validate(
        {"name": "mine", "stages": ["sft"], "evals": evals, "gates": gates, **other}
    )


@pytest.mark.parametrize(
    ("metric", "evals", "says"),
    [
        ("accuracy", OWN, "It measures: exact, exact-2, "),
        ("labels:exact", OWN, "Did you mean 'labels:choice'?"),
        ("accuracy_held_out", {"accuracy": {"limit": 4}}, "It comes with evals.accuracy.held_out"),
        ("bits_per_byte", {"accuracy": {"limit": 4}}, "It comes with evals.retention"),
        ("mmlu/acc", {"accuracy": {"limit": 4}}, "It measures: accuracy, "),
        ("pass@4", {"accuracy": {"limit": 4}}, "which recipe 'mine' does not measure"),
        (
            "win_rate_base",
            {"accuracy": {"limit": 4}, "preference": {"against": ["previous"]}},
            "does not measure",
        ),
    ],
)
def test_a_gate_on_what_is_not_measured_is_refused(
    metric: str, evals: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match="gates names") as refused:
        check_gates(recipe({metric: 2}, evals))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("metric", "evals"),
    [
        ("exact-2", OWN),
        ("labels:choice", OWN),
        ("length_tokens", OWN),
        ("mmlu_anatomy/acc", {"accuracy": {"limit": 4}, "tasks": ["mmlu"]}),
        ("pass@4", {"accuracy": {"limit": 4, "samples": 4, "temperature": 1}}),
        ("bits_per_byte", {"accuracy": {"limit": 4}, "retention": True}),
        ("win_rate_base", {"accuracy": {"limit": 4}}),
    ],
)
def test_a_gate_on_what_is_measured_may_stand(metric: str, evals: dict[str, Any]) -> None:
    check_gates(recipe({metric: 2}, evals))


def test_a_tier_is_looked_at_like_a_gate() -> None:
    tiers = {"critical": ["accuracy"], "supporting": ["bits_per_byte"]}
    with pytest.raises(UsageError, match="tiers names 'bits_per_byte'"):
        check_gates(recipe({"accuracy": 2}, {"accuracy": {"limit": 4}}, tiers=tiers))


def test_what_a_recipe_measures_can_be_gated() -> None:
    names = known_metrics(recipe({}, OWN))
    assert names[:2] == ["exact", "exact-2"] and "labels:choice" in names
    assert "accuracy" not in names and "win_rate_previous" not in names
