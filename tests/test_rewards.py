from pathlib import Path

import pytest

from stagelift.stages.rewards import brevity, correctness, load_reward, reward_fingerprint


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


def test_the_shortest_right_answer_gets_most_and_the_longest_least() -> None:
    assert brevity_of(["4", "4", "4"], [10, 20, 30]) == [0.5, 0.0, -0.5]


def test_a_wrong_answer_gains_nothing_by_being_short() -> None:
    assert brevity_of(["5", "4"], [1, 30]) == [0.0, -0.5]


def test_equal_lengths_get_nothing_and_groups_are_apart() -> None:
    assert brevity_of(["4", "4"], [7, 7]) == [0.0, 0.0]
    assert brevity_of(["4", "4"], [7, 70], prompts=["p", "q"]) == [0.0, 0.0]


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
