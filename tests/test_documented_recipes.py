"""Every recipe that README and docs/ show is read by the real reader, and checked as `--dry-run`
checks it wherever a small model can stand for the one that it names.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.yaml_text import read_yaml
from tests.documents import DOCUMENTS, Block, blocks, name

# what a part of a recipe stands in, where it says nothing else
AROUND: dict[str, Any] = {
    "name": "documented",
    "stages": [],
    "evals": {"accuracy": {"task": "schoolmath", "limit": 8}},
}
SMALL = ["model.dtype=float32", "lora={r: 4, target_modules: [q_proj, v_proj]}"]
# why a recipe is read and not checked further
ONLY_READ = {
    "docs/bring-your-own-chain.md": "checkpoints that were trained elsewhere",
    "docs/export.md": "llama.cpp",
    "docs/measures.md": "a server, and lm-eval's data",
    "docs/own-scores.md": "tests/test_own_scores_document.py runs them whole",
    "docs/qlora.md": "weights in 4 bits, of which tests/test_four_bit_run.py trains a chain",
    "docs/trackers.md": "packages of other people",
    "docs/votes.md": "votes",
    "docs/which-checkpoint.md": "checkpoints that were trained elsewhere",
}


def recipes() -> list[Block]:
    """List the blocks that are recipes, or parts of one."""
    shown = [block for document in DOCUMENTS for block in blocks(document)]
    return [block for block in shown if block.language == "yaml" and _is_recipe(block)]


def _is_recipe(block: Block) -> bool:
    # not by our reader: workflows, whose `on` it takes for no key, are shown as well
    keys = {str(key) for key in yaml.safe_load(block.content)}
    return keys <= {*Recipe.model_fields}


RECIPES = recipes()
CHECKED = [block for block in RECIPES if name(block.document) not in ONLY_READ]


def whole(block: Block) -> dict[str, Any]:
    """Put what a block shows into a recipe that lacks nothing."""
    return merged(AROUND, read_yaml(block.content, block.title))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay keys over others, section by section."""
    both = {key for key in above if isinstance(above[key], dict) and key in below}
    return {**below, **above, **{key: merged(below[key], above[key]) for key in both}}


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: block.title)
def test_a_documented_recipe_is_read(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "receipt.json").write_text("{}")
    assert load_recipe(whole(block), []).name


def test_recipes_are_found_where_they_are_known_to_stand() -> None:
    found = {name(block.document) for block in RECIPES}
    assert {"README.md", "docs/recipes.md", "docs/studies.md", *ONLY_READ} <= found
    assert len(CHECKED) >= 6


@pytest.mark.real
@pytest.mark.parametrize("block", CHECKED, ids=lambda block: block.title)
def test_a_documented_recipe_passes_the_check_of_a_dry_run(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_named_data(tmp_path)
    shutil.copytree(tiny_model, tmp_path / "tiny")
    recipe = whole(block)
    (tmp_path / "shown.yaml").write_text(yaml.safe_dump(recipe))
    # what names no model is of the embedded one
    settings = ["model.path=tiny", *SMALL] if "model" in recipe else SMALL
    small = [part for setting in settings for part in ("--set", setting)]
    done = CliRunner().invoke(app, ["run", "shown.yaml", "--dry-run", *small])
    assert done.exit_code == 0, done.output


def write_named_data(folder: Path) -> None:
    """Write small data where recipes name those of the Hub, and the user's own files."""
    problems = [{"question": f"What is {n} + 1?", "answer": f"#### {n + 1}"} for n in range(1200)]
    turn = {"role": "user", "content": "Say hello."}
    pairs = [
        {
            "chosen": [turn, {"role": "assistant", "content": f"Hello, {n}."}],
            "rejected": [turn, {"role": "assistant", "content": "No."}],
        }
        for n in range(20)
    ]
    for path, rows in {"openai/gsm8k": problems, "trl-lib/ultrafeedback_binarized": pairs}.items():
        (folder / path).mkdir(parents=True)
        write_rows(folder / path / "train.jsonl", rows[: len(rows) // 2])
        write_rows(folder / path / "test.jsonl", rows[len(rows) // 2 :])
    write_rows(folder / "chat.jsonl", [{"instruction": "Say hello.", "output": "Hello."}] * 9)
    (folder / "my_rewards.py").write_text(
        "def polite(completions, **_):\n    return [0.0 for _ in completions]\n"
    )


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
