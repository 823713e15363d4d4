"""Completions to learn from: the policy's own, as it is now, and the same after a resume."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trl import RLOOTrainer

from stagelift.stages import rollouts
from stagelift.stages.faster import TESTED, faster
from tests.test_faster import trainer_of


def generated(trainer: Any, seed: int = 0, moved: bool = False) -> list[list[int]]:
    """Train a step, and return what the reward was shown; `moved` lets the policy be another than
    the model below its adapter.
    """
    shown: list[list[int]] = []

    def watch(completion_ids: list[list[int]], **_: Any) -> list[float]:
        shown.extend(completion_ids)
        return [0.0] * len(completion_ids)

    trainer.reward_funcs = [watch]
    torch.manual_seed(1)
    for name, weights in trainer.model.named_parameters():
        if moved and "lora_B.default" in name:
            weights.data.normal_(0, 0.3)
    torch.manual_seed(seed)
    with faster(trainer):
        trainer.train()
    return shown


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_the_likeliest_completions_are_those_that_trl_generates(
    tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    ours, of_trl = (
        generated(
            trainer_of(kind, tiny_model, tmp_path, is_trl, temperature=1e-6, max_steps=1),
            moved=True,
        )
        for is_trl in (False, True)
    )
    assert len(ours) == 8 and ours == of_trl


def test_completions_follow_the_random_numbers_and_the_policy(
    tiny_model: Path, tmp_path: Path
) -> None:
    def ours(seed: int = 0, moved: bool = False) -> list[list[int]]:
        return generated(trainer_of("grpo", tiny_model, tmp_path, max_steps=1), seed, moved)

    completions = ours()
    assert len({tuple(tokens) for tokens in completions}) == 8
    assert all(1 <= len(tokens) <= 12 for tokens in completions)
    assert ours() == completions
    assert completions not in (ours(seed=1), ours(moved=True))


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({}, None),
        ({"top_p": 0.9}, "top_p is 0.9"),
        ({"top_k": 20}, "top_k is 20"),
        ({"min_p": 0.1}, "min_p is 0.1"),
        ({"repetition_penalty": 1.1}, "repetition_penalty is 1.1"),
        ({"generation_kwargs": {"num_beams": 2}}, "generation_kwargs is {'num_beams': 2}"),
    ],
)
def test_what_the_engine_does_not_do_is_left_to_trl_and_said(
    tiny_model: Path, tmp_path: Path, args: dict[str, Any], reason: str | None
) -> None:
    trainer = trainer_of("grpo", tiny_model, tmp_path, **args)
    assert rollouts.what_the_engine_does_not(trainer.args) == reason
    assert (trainer.rollout_func is None) == (reason is not None)
    with faster(trainer) as as_trl:
        assert as_trl == ([f"Completions are generated as TRL has it: {reason}."] if reason else [])


def test_a_prompt_that_leaves_no_room_is_left_to_trl(tiny_model: Path, tmp_path: Path) -> None:
    trainer = trainer_of("grpo", tiny_model, tmp_path)
    assert rollouts.completed(trainer, [[5] * 501]) is None


def test_rloo_is_trl_s_own_in_another_version(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TESTED, "transformers", "4.57.")
    assert type(trainer_of("rloo", tiny_model, tmp_path)) is RLOOTrainer
