"""Completions that TRL logs: rewards by steps, prompts as units."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.trl_completions import read_trl_completions
from tests.imported import values, write_parquet


def write(folder: Path, step: int, rows: list[tuple[Any, Any, float]]) -> Path:
    """Write a step's completions: a prompt, a completion and its reward each."""
    columns: dict[str, list[Any]] = {
        "step": [step] * len(rows),
        "prompt": [prompt for prompt, _, _ in rows],
        "completion": [completion for _, completion, _ in rows],
        "correctness": [reward for _, _, reward in rows],
        "advantage": [0.0] * len(rows),
    }
    return write_parquet(folder / f"completions_{step:05d}.parquet", columns)


def test_a_reward_is_a_metric_by_steps_and_the_unit_is_the_prompt(tmp_path: Path) -> None:
    write(tmp_path, 5, [("p", "aa", 1.0), ("p", "bbbb", 0.0), ("q", "c", 1.0)])
    write(tmp_path, 10, [("p", "dd", 1.0)])
    imported = read_trl_completions(tmp_path)
    (stage,) = imported.stages
    assert values(stage) == {
        "steps 05/reward,correctness": [0.5, 1],
        "steps 05/length in characters": [3, 1],
        "steps 10/reward,correctness": [1],
        "steps 10/length in characters": [2],
    }
    assert [(row.sample, row.response) for row in stage.generations[:2]] == [(0, "aa"), (1, "bbbb")]
    assert "4 completions of 2 logged steps" in imported.notes[0]


def test_many_steps_are_joined_into_ten_spans(tmp_path: Path) -> None:
    for step in range(1, 26):
        write(tmp_path, step, [("p", "a", float(step))])
    found = values(read_trl_completions(tmp_path).stages[0])
    rewards = {name: of for name, of in found.items() if "reward" in name}
    assert len(rewards) == 9 and list(rewards) == sorted(rewards)
    assert rewards["steps 01-03/reward,correctness"] == [2]
    assert rewards["steps 25/reward,correctness"] == [25]


def test_messages_are_joined_and_other_columns_left_out(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "p"}]
    answered = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": None}]
    file = write(tmp_path, 1, [(said, answered, float("nan"))])
    imported = read_trl_completions(file)
    (stage,) = imported.stages
    assert [(row.prompt, row.response) for row in stage.generations] == [("p", "a")]
    assert "no column of rewards is a number" in " ".join(imported.notes)


def test_rows_that_cannot_be_are_named(tmp_path: Path) -> None:
    columns = {"step": ["one"], "prompt": ["p"], "completion": ["c"]}
    file = write_parquet(tmp_path / "completions_00001.parquet", columns)
    with pytest.raises(ValueError, match="row 1: step is 'one'"):
        read_trl_completions(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no completions"):
        read_trl_completions(tmp_path / "empty")
