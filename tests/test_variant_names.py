"""What variants are called that the recipe does not name."""

from pathlib import Path

import pytest

from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.study import reference_variant, wanted_chains
from stagelift.harness.recipes.variant_names import labels_of
from stagelift.harness.recipes.variants import variants_of

RECIPE = """
name: data
model: {path: stagelift/tiny}
data: {path: bundled/schoolmath}
stages: [sft: {args: {max_steps: 2}}]
variants: {stages.sft.dataset: [rows/short.jsonl, rows/long.jsonl], lora.r: [4, 16]}
reference: "sft.dataset=long.jsonl,r=4"
evals: {accuracy: {task: schoolmath, limit: 8}}
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "rows").mkdir()
    for name in ("short.jsonl", "long.jsonl"):
        (tmp_path / "rows" / name).write_text('{"prompt": "a", "completion": "b"}\n')
    file = tmp_path / "data.yaml"
    file.write_text(RECIPE)
    return file


@pytest.mark.parametrize("folder", [".", "rows", ".."])
def test_a_files_name_names_a_variant_wherever_the_command_is_given(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(recipe_file.parent / folder)
    recipe = load_recipe(str(recipe_file), [])
    assert [variant.name for variant in variants_of(recipe)] == [
        "sft.dataset=short.jsonl,r=4",
        "sft.dataset=short.jsonl,r=16",
        "sft.dataset=long.jsonl,r=4",
        "sft.dataset=long.jsonl,r=16",
    ]
    assert reference_variant(recipe) == "sft.dataset=long.jsonl,r=4"
    assert wanted_chains(recipe)[0].labels == ("sft.dataset=short.jsonl", "r=4")


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(str(tmp_path / folder / "rows.jsonl"))
        Path(paths[-1]).write_text("")
    assert labels_of([{"data": path} for path in paths]) == [(f"data={path}",) for path in paths]


def test_a_name_on_the_hub_is_written_whole() -> None:
    names = ["nobody/has-this-here", "nobody/has-that-here"]
    assert labels_of([{"model": name} for name in names]) == [(f"model={name}",) for name in names]


def test_values_are_written_shortly_and_keys_in_full_where_they_look_alike() -> None:
    settings = {"lora.target_modules": ["q_proj", "v_proj"], "lora.use_rslora": True, "lora.r": 4}
    assert labels_of([settings]) == [("target_modules=q_proj+v_proj", "use_rslora=true", "r=4")]
    alike = {"stages.sft.lora.r": 4, "stages.sft.r": 8}
    assert labels_of([alike]) == [("stages.sft.lora.r=4", "stages.sft.r=8")]
