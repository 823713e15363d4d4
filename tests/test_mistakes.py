"""What is wrong with a recipe, in one sentence."""

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.errors import SeveralMistakes, UsageError
from stagelift.harness.recipes.mistakes import mistakes_in
from stagelift.harness.recipes.no_recipe import no_recipe
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.study import wanted_chains
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
    assert says in mistakes_in(refused.value, "mine.yaml")[0]


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


def test_all_mistakes_are_said_at_once_each_once(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nseedd: 1\nlora: [r]\nstages:\n- sft: {max_steps: 3}\n"
        "evals: {accuracy: {limit: many, batch: 2}}\n"
    )
    with pytest.raises(SeveralMistakes) as refused:
        load_recipe(str(tmp_path / "mine.yaml"), [])
    told = "\n".join(refused.value.sentences)
    assert len(refused.value.sentences) == 5
    for key in ("seedd", "lora", "stages.0.max_steps", "evals.accuracy.limit", "accuracy.batch"):
        assert told.count(f"{key}' in line") == 1
    result = CliRunner().invoke(app, ["run", str(tmp_path / "mine.yaml"), "--dry-run"])
    assert result.exit_code == 2
    lines = result.stderr.strip().split("\n")
    assert len(lines) == 5 and all(line.startswith("Error: ") for line in lines)


def test_no_more_than_ten_mistakes_are_said() -> None:
    with pytest.raises(SeveralMistakes) as refused:
        load_recipe({**PLAIN, **{f"word{number}": 1 for number in range(30)}}, [])
    assert len(refused.value.sentences) == 10


def test_a_misspelt_key_is_not_said_to_be_missing_too() -> None:
    with pytest.raises(UsageError) as refused:
        load_recipe({"nmae": "mine", "stages": []}, [])
    assert str(refused.value).startswith("Unknown key 'nmae'")
    assert "\n" not in str(refused.value) and "is missing" not in str(refused.value)


@pytest.mark.parametrize("written", ["[4, 16, 64]", "4", "{lora.r: 4}", "[[4]]", "r"])
def test_what_is_no_variant_is_met_with_how_one_is_written(written: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_recipe("quickstart", [f"variants={written}"])
    said = str(refused.value)
    assert "variants: {lora.r: [4, 16, 64]}, or a list of settings, such as" in said
    assert said.count("Key 'variants'") == 1 and "dict[" not in said and "list[" not in said


def test_a_lora_setting_outside_lora_is_met_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'lora\.lora_alpha'\?"):
        wanted_chains(load_recipe("quickstart", ["variants=[{lora_alpha: 128}]"]))


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
    assert "did you mean 'name'?" in mistakes_in(refused.value, "mine.yaml")[0]
