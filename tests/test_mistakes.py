"""What is wrong with a recipe, in one sentence."""

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.mistakes import first_mistake
from stagelift.harness.recipes.no_recipe import no_recipe
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.yaml_text import read_yaml

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
        ({"name": None, "evals": None}, "in mine.yaml is empty, which does not fit: "),
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


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("name: mine\nstages:\n- sft:\n    max_steps: 3\n", "'stages.0.max_steps' in line 4 of"),
        ("name: mine\nstages:\n- sft:\n    max_steps: 3\n", "stands under the args of its stage"),
        ("name: mine\nstages:\n- sft:\n  args: {}\n", "Here args stands beside sft: indent it"),
        ("name: mine\nstages: [SFT]\n", "Did you mean 'sft'? (in line 2 of mine.yaml)"),
        ("name: mine\nstages: []\nlora:\n- r\n", "'lora' in line 3 of mine.yaml is a list, and"),
        ("name: mine\nstages: []\ndata: [a, b]\n", "or one file, folder or Hub name"),
        ("name: mine\nstages: []\nseeds: 3\n", "For 3 seeds write seeds: [0, 1, 2]"),
        ("name: mine\nstages: []\ndata:\n", "keys with values belong there"),
        ("name: my run\nstages: []\nevals: {accuracy: {limit: 2}}\n", "Such as: my-run."),
        ("stages: []\n", "Write it, such as: name: mine"),
        ("name: mine\nstages: []\n", "Paste one of these."),
        ("name: mine\nevals:\n  accuracy: {limit: all}\nstages: []\n", "write limit: null"),
        (
            "name: mine\nstages: []\nevals:\n  preference:\n    judge:\n      openai: {url: x}\n",
            "'evals.preference.judge.openai.url' in line 6 of mine.yaml",
        ),
        ("name: mine\n\tstages: []\n", "There is a tab: YAML is indented with spaces."),
        ('name: mine\ndata: "C:\\data\\x.jsonl"\n', "(line 2). In double quotes a backslash"),
        ("name:mine\nstages: []\n", "lacks the space after its colon"),
        ("name: [mine\nstages: []\n", "is not closed"),
        ("\ufeffname: mine\nstagse: []\n", "did you mean 'stages'?"),
    ],
)
def test_a_mistake_in_a_file_comes_with_its_line_and_remedy(
    written: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(written, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        load_recipe(str(tmp_path / "mine.yaml"), [])
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("mine", "Did you mean '{}/mine.yaml'?"),
        ("mine.yml", "Did you mean '{}/mine.yaml'?"),
        ("mien.yaml", "Did you mean '{}/mine.yaml'?"),
        ("", "is a folder, and a recipe is a YAML file. Name a file in it: {}/mine.yaml."),
        ("quickstrat", "Did you mean 'quickstart'?"),
    ],
)
def test_what_is_no_recipe_names_what_is_near(asked: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    with pytest.raises(UsageError) as refused:
        load_recipe(str(tmp_path / asked), [])
    assert says.format(tmp_path) in str(refused.value)


@pytest.mark.parametrize("content", ["", "- sft\n", "mine\n"])
def test_other_yaml_is_no_recipe(content: str) -> None:
    assert "expected keys such as name" in no_recipe(read_yaml(content, "x"), "x")


def test_a_path_alone_stands_for_a_section_of_it() -> None:
    short = {
        "model": "some/model",
        "data": "mine.jsonl",
        "stages": [{"sft": {"dataset": "more"}}],
        "evals": {
            "accuracy": {"limit": 2},
            "preference": {"prompts": "held.jsonl"},
            "validation": "for.jsonl",
        },
    }
    whole = {
        "model": {"path": "some/model"},
        "data": {"path": "mine.jsonl"},
        "stages": [{"sft": {"dataset": {"path": "more"}}}],
        "evals": {
            "accuracy": {"limit": 2},
            "preference": {"prompts": {"path": "held.jsonl"}},
            "validation": {"path": "for.jsonl"},
        },
    }
    read, same = (load_recipe({"name": "mine"} | written, []) for written in (short, whole))
    assert read == same and read.identity() == same.identity()


def test_a_misspelt_key_is_said_rather_than_that_it_is_missing() -> None:
    renamed = {"nmae": "mine", **{key: PLAIN[key] for key in ("stages", "evals")}}
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate(renamed)
    assert "did you mean 'name'?" in first_mistake(refused.value, "mine.yaml")
