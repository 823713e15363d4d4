from pathlib import Path

import pytest
import torch

from stagelift.stages.rewards import (
    brevity,
    check_weights,
    correctness,
    load_reward,
    reward_fingerprint,
)


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def test_correctness_is_one_for_a_right_number_and_zero_for_a_wrong_one() -> None:
    completions = [said("#### 4"), said("#### 5"), "plain text: 4"]
    assert correctness(completions=completions, answer=["#### 4"] * 3, prompts=["p"] * 3) == [
        1,
        0,
        1,
    ]


def brevity_of(
    texts: list[str], lengths: list[int], prompts: list[str] | None = None
) -> list[float]:
    ids = [[0] * length for length in lengths]
    return brevity(
        prompts=prompts or ["p"] * len(texts),
        completions=[said(text) for text in texts],
        completion_ids=ids,
        answer=["#### 4"] * len(texts),
    )


def test_the_shortest_right_answer_gets_most_and_the_longest_nothing() -> None:
    assert brevity_of(["4", "4", "4"], [10, 20, 30]) == [0.5, 0.25, 0.0]


def test_right_answers_are_compared_among_themselves() -> None:
    assert brevity_of(["5", "4", "4", "5"], [1, 30, 20, 90]) == [0.0, 0.0, 0.5, 0.0]


def test_a_group_of_wrong_answers_has_no_policy_gradient() -> None:
    texts, lengths = ["5", "6 or 7", "no idea", "#### 3"], [1, 9, 40, 96]
    assert policy_gradient(texts, lengths) == [0.0, 0.0, 0.0, 0.0]
    # what it looks like where there is something to learn
    assert policy_gradient(["5", "4", "4", "5"], [1, 30, 20, 90]) != [0.0, 0.0, 0.0, 0.0]


def policy_gradient(texts: list[str], lengths: list[int]) -> list[float]:
    """Return the gradient of GRPO's loss in the completions' log-probabilities, on both rewards."""
    rewards = torch.tensor(summed(texts, lengths, weight=1))
    logprobs = torch.zeros(len(texts), requires_grad=True)
    # trl: GRPOTrainer, scale_rewards="group"
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
    (-(torch.exp(logprobs - logprobs.detach()) * advantages).mean()).backward()
    assert logprobs.grad is not None
    return [float(value) for value in logprobs.grad]


@pytest.mark.parametrize("weight", [0.1, 1, 10])
def test_any_right_answer_is_worth_more_than_any_wrong_one(weight: float) -> None:
    texts = ["4", "5", "4", "5", "4", "5"]
    worth = summed(texts, [96, 1, 2, 2, 50, 96], weight=weight)
    assert min(worth[0::2]) > max(worth[1::2])


def summed(texts: list[str], lengths: list[int], weight: float) -> list[float]:
    """Sum both rewards of a group as trl does, brevity with a weight."""
    right = correctness(completions=[said(t) for t in texts], answer=["#### 4"] * len(texts))
    short = brevity_of(texts, lengths)
    return [a + weight * b for a, b in zip(right, short, strict=True)]


def test_equal_lengths_get_nothing_and_groups_are_apart() -> None:
    assert brevity_of(["4", "4"], [7, 7]) == [0.0, 0.0]
    assert brevity_of(["4", "4"], [7, 70], prompts=["p", "q"]) == [0.0, 0.0]


def test_a_stage_knows_which_brevity_it_was_trained_with() -> None:
    assert reward_fingerprint("brevity").startswith("brevity-2@")
    assert reward_fingerprint("correctness").startswith("correctness@")


def test_a_users_function_is_found_by_its_dotted_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_rewards.py").write_text(
        "def polite(completions, **_):\n    return [1.0 for _ in completions]\n"
    )
    monkeypatch.chdir(tmp_path)
    assert load_reward("my_rewards.polite")(completions=["a"]) == [1.0]
    assert len(reward_fingerprint("my_rewards.polite")) == 64
    with pytest.raises(ValueError, match="has no function 'rude'"):
        load_reward("my_rewards.rude")


def test_a_module_that_does_not_compile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_rewards.py").write_text("def polite(:\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="cannot be imported: SyntaxError"):
        load_reward("broken_rewards.polite")


@pytest.mark.parametrize("name", ["correctnes", "no_such_module.reward"])
def test_an_unknown_reward_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        load_reward(name)


def test_each_reward_has_a_weight() -> None:
    check_weights([correctness, brevity], {"reward_weights": [1, 0.5]})
    with pytest.raises(ValueError, match="has 1 weights for 2 rewards"):
        check_weights([correctness, brevity], {"reward_weights": [1]})
