"""What `run.json` says when the same recipe comes to mean other nodes."""

from pathlib import Path

import pytest

from stagelift.evals.strict_json import read_json
from stagelift.harness.recipes.read import load_recipe
from stagelift.reports.records import read_run
from tests.in_process import run_recipe
from tests.test_run import trained


def test_a_changed_reward_makes_new_nodes_and_the_report_follows(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # where the reward is found
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"""
name: mine
model: {{path: "{tiny_model.as_posix()}", dtype: float32}}
lora: {{r: 2, target_modules: [q_proj]}}
data: {{path: bundled/schoolmath, limit: 8}}
stages: [grpo: {{rewards: [my_reward.letters], args: {{max_steps: 1,
  per_device_train_batch_size: 2, num_generations: 2, max_completion_length: 4}}}}]
evals: {{accuracy: {{limit: 2, max_tokens: 2}}, preference: {{prompts: null}}}}
"""
    )
    (tmp_path / "my_reward.py").write_text(
        "def letters(completions, **_):\n    return [0.0 for _ in completions]\n"
    )
    run_recipe(load_recipe(str(recipe), []), tmp_path / "runs")
    first = read_json(tmp_path / "runs/mine/run.json")
    (tmp_path / "my_reward.py").write_text(
        "def letters(completions, **_):\n    return [1.0 for _ in completions]\n"
    )
    run_recipe(load_recipe(str(recipe), []), tmp_path / "runs")
    second = read_json(tmp_path / "runs/mine/run.json")
    assert first["stages"][0] == second["stages"][0]
    assert first["stages"][1]["node"] != second["stages"][1]["node"]
    assert (first["finished"], second["finished"], len(second["sessions"])) == (True, True, 2)
    assert (
        trained(read_run(tmp_path / "runs" / "mine"), "grpo").history[0]["rewards/letters/mean"]
        == 1.0
    )
