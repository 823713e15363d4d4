"""RLOO: a stage of a chain that takes what GRPO takes, and starts from what came in."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.harness.errors import UsageError
from stagelift.harness.forecast.groups import group_advice
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.stages.kind import RowCost
from stagelift.stages.rloo import RLOO
from stagelift.stages.settings import config_on_paper
from tests.test_lora import trained

LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
ARGS: dict[str, Any] = {
    "max_steps": 3,
    "per_device_train_batch_size": 4,
    "num_generations": 2,
    "max_completion_length": 8,
    "learning_rate": 1e-2,
}
REWARDS = ["correctness", "tests.rewards.share_of_letters"]


def test_a_chain_carries_its_adapter_through_kto_and_rloo(tiny_model: Path, tmp_path: Path) -> None:
    chain = trained(
        tiny_model,
        tmp_path,
        LORA,
        {"sft": {}},
        {"kto": {}},
        {"rloo": {"args": ARGS, "rewards": REWARDS}},
        {"dpo": {}},
    )
    assert [stage.node.starts_an_adapter for stage in chain] == [True, False, False, False]
    kto, rloo, dpo = (stage.result.history for stage in chain[1:])
    # each starts where its reference is: the adapter that came in
    assert kto[0]["loss"] == 0.5
    assert rloo[0]["kl"] == pytest.approx(0, abs=1e-6) and rloo[-1]["kl"] != rloo[0]["kl"]
    assert dpo[0]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert {"reward", "rewards/share_of_letters/mean", "completions/mean_length"} <= set(rloo[0])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"num_generations": 1}, "at least 2"),
        ({"per_device_train_batch_size": 3}, "must be divisible by num_generations"),
        ({"steps_per_generation": 4, "save_steps": 3}, "make save_steps a multiple of 4"),
    ],
)
def test_what_its_groups_do_not_allow_is_refused(args: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="Stage 'rloo'") as refused:
        config_on_paper(RLOO, {**ARGS, **args})
    assert says in str(refused.value)


def test_two_processes_must_be_able_to_share_its_groups() -> None:
    with pytest.raises(ValueError, match="no whole group of num_generations 4"):
        config_on_paper(RLOO, {**ARGS, "num_generations": 4}, 2)


def recipe(folder: Path, model: Path, more: str) -> Path:
    path = folder / "rloo.yaml"
    path.write_text(f"""
name: rloo
model: {{path: "{model.as_posix()}", dtype: float32}}
stages: [rloo: {{{more}}}]
evals: {{accuracy: {{limit: 6}}}}
""")
    return path


def test_it_needs_rewards_and_is_told_of_groups_without_a_signal(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="Stage 'rloo' needs rewards"):
        load_recipe(str(recipe(tmp_path, tiny_model, "args: {max_steps: 3}")), [])
    path = recipe(tmp_path, tiny_model, "rewards: [correctness], args: {num_generations: 4}")
    (advice,) = group_advice(make_plan(load_recipe(str(path), [])), Store(tmp_path / "runs"))
    assert advice.text.startswith("rloo: which share of groups (4 completions each)")


def test_a_completion_is_generated_and_scored_by_policy_and_reference() -> None:
    config = config_on_paper(RLOO, {**ARGS, "num_iterations": 3})
    assert RLOO.cost(config) == RowCost(generated=8, times=6, forwards=2)
    assert RLOO.cost(config_on_paper(RLOO, {**ARGS, "beta": 0})).forwards == 1
