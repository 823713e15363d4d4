"""Relative paths of a recipe are relative to its folder, wherever a command is given."""

from pathlib import Path

import pytest

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.relative import lead_from_here, with_same_files
from stagelift.harness.recipes.sections import Recipe

MINE = """
name: mine
model: {path: ./start}
data: rows/train.jsonl
chat_template: chat.jinja
stages:
  - sft: {dataset: {path: rows/more.jsonl}, args: {deepspeed: ./ds.json, optim: adamw_torch}}
  - checkpoint: {name: dpo, adapter: ../adapters/dpo}
evals:
  accuracy: {task: mine, data: rows, scorers: [exact, {json: {schema: rows/schema.json}}]}
  preference: {judge: {verdicts: {path: said.jsonl}}, prompts: org/name, votes: votes.json}
  tasks: [ifeval, tasks/mine.yaml]
variants: {stages.sft.dataset.path: [rows/more.jsonl, /whole/other.jsonl]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a recipe in a folder of its own, as the working folder."""
    folder = tmp_path / "project" / "recipes"
    (folder / "rows").mkdir(parents=True)
    (folder / "rows" / "schema.json").write_text("{}")
    (folder / "mine.yaml").write_text(MINE)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def paths(recipe: Recipe) -> list[str | None]:
    preference, (sft, dpo) = recipe.evals.preference, recipe.stages
    assert sft.kind == "sft" and dpo.kind == "checkpoint" and sft.dataset is not None
    assert recipe.evals.accuracy.data is not None and preference.prompts is not None
    assert isinstance(recipe.variants, dict)
    return [
        *(recipe.model.path, recipe.data.path, recipe.chat_template, sft.dataset.path),
        *(sft.args["deepspeed"], sft.args["optim"], dpo.adapter, recipe.evals.accuracy.data.path),
        *(preference.prompts.path, *preference.votes),
        *(task.task for task in recipe.evals.lm_eval_tasks),
        *recipe.variants["stages.sft.dataset.path"],
    ]


@pytest.mark.usefixtures("project")
def test_every_path_of_a_recipe_leads_from_its_folder() -> None:
    assert paths(load_recipe("recipes/mine.yaml", [])) == [
        "recipes/start",
        "recipes/rows/train.jsonl",
        "recipes/chat.jinja",
        "recipes/rows/more.jsonl",
        "recipes/ds.json",
        "adamw_torch",
        "adapters/dpo",
        "recipes/rows",
        # no folder of this name: it is the Hub's
        "org/name",
        "recipes/votes.json",
        "ifeval",
        "recipes/tasks/mine.yaml",
        "recipes/rows/more.jsonl",
        "/whole/other.jsonl",
    ]


def test_in_the_working_folder_paths_stay_as_they_are_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "recipes")
    there = load_recipe("mine.yaml", [])
    assert paths(there)[:3] == ["./start", "rows/train.jsonl", "chat.jinja"]
    assert load_recipe(str(project / "recipes" / "mine.yaml"), []).identity() == there.identity()


def test_a_recipe_from_elsewhere_names_whole_paths(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "project" / "recipes" / "rows")
    recipe = load_recipe("../mine.yaml", [])
    assert recipe.data.path == str(project / "recipes" / "rows" / "train.jsonl")


@pytest.mark.usefixtures("project")
def test_what_is_set_on_the_command_line_is_relative_to_the_working_folder() -> None:
    settings = ["data.path=mine.jsonl", "data.split=test", "model=./other"]
    recipe = load_recipe("recipes/mine.yaml", settings)
    assert (recipe.data.path, recipe.data.split) == ("mine.jsonl", "test")
    assert recipe.model.path == "./other"


def test_a_file_in_the_working_folder_alone_is_refused_with_both_places(project: Path) -> None:
    (project / "rows").mkdir()
    (project / "rows" / "train.jsonl").write_text("{}\n")
    with pytest.raises(UsageError) as refused:
        load_recipe("recipes/mine.yaml", [])
    said = str(refused.value)
    assert str(project / "recipes" / "rows" / "train.jsonl") in said
    assert str(project / "rows" / "train.jsonl") in said
    assert "Write '../rows/train.jsonl' in the recipe" in said
    assert "--set data.path=rows/train.jsonl" in said
    remedied = load_recipe("recipes/mine.yaml", ["data.path=rows/train.jsonl"])
    assert remedied.data.path == "rows/train.jsonl"
    written = MINE.replace("data: rows/train.jsonl", "data: ../rows/train.jsonl")
    (project / "recipes" / "mine.yaml").write_text(written)
    assert load_recipe("recipes/mine.yaml", []).data.path == "rows/train.jsonl"


def test_the_way_to_write_it_is_right_however_far_up_it_leads(project: Path) -> None:
    deep = project / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (project.parent / "rows.jsonl").write_text("{}\n")
    (deep / "mine.yaml").write_text(
        "name: x\nstages: []\ndata: ../rows.jsonl\nevals: {accuracy: {limit: 2}}\n"
    )
    with pytest.raises(UsageError, match=r"Write '(\.\./){4}rows\.jsonl' in the recipe"):
        load_recipe("a/b/c/mine.yaml", [])


def test_the_recipe_of_a_run_is_a_record_of_the_working_folder(project: Path) -> None:
    run = project / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    plain = "name: x\nstages: []\ndata: rows/train.jsonl\nevals: {accuracy: {limit: 2}}\n"
    (run / "recipe.yaml").write_text(plain)
    assert load_recipe("runs/mine/recipe.yaml", []).data.path == "rows/train.jsonl"


def test_the_recipe_of_a_run_is_read_from_another_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "recipe.yaml").write_text(
        "name: x\nstages: []\ndata: recipes/mine.yaml\nevals: {accuracy: {limit: 2}}\n"
    )
    monkeypatch.chdir(project.parent)
    recipe = load_recipe("project/runs/mine/recipe.yaml", [])
    assert recipe.data.path == "project/recipes/mine.yaml"


def test_it_does_not_count_from_which_folder_a_recipe_was_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "recipes" / "rows" / "train.jsonl").touch()
    (project / "recipes" / "other.jsonl").touch()
    written = "name: x\nstages: []\ndata: rows/train.jsonl\nevals: {accuracy: {limit: 2}}\n"
    (project / "recipes" / "x.yaml").write_text(written)
    seen = []
    for folder, name in (
        (project, "recipes/x.yaml"),
        (project / "recipes", "x.yaml"),
        (project.parent, "project/recipes/x.yaml"),
        (project, str(project / "recipes" / "x.yaml")),
    ):
        monkeypatch.chdir(folder)
        seen.append(load_recipe(name, []).identity())
        for held in seen:
            assert with_same_files(held, seen[-1], project / "recipes" / "runs") == seen[-1]
    monkeypatch.chdir(project)
    other = load_recipe("recipes/x.yaml", ["data=recipes/other.jsonl"]).identity()
    assert with_same_files(seen[0], other, project / "runs") == seen[0] != other


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "text",
    [
        *("https://x/y.jsonl", "/whole.jsonl", "~/mine.jsonl", "bundled/schoolmath"),
        *(r"C:\data\new.jsonl", "C:/data/new.jsonl"),
    ],
)
def test_what_is_no_relative_path_stays(text: str) -> None:
    content = {"data": {"path": text}, "stages": [{"sft": {"dataset": text}}]}
    assert lead_from_here(content, Path("recipes/mine.yaml")) == []
    assert content == {"data": {"path": text}, "stages": [{"sft": {"dataset": text}}]}


def test_names_of_servers_and_kinds_of_exports_are_no_paths(project: Path) -> None:
    (project / "recipes" / "q8_0").mkdir()
    (project / "recipes" / "large").mkdir()
    content = {
        "export": {"gguf": "q8_0"},
        "evals": {"preference": {"judge": {"openai": {"model": "large"}}}},
    }
    lead_from_here(content, Path("recipes/mine.yaml"))
    assert content["export"] == {"gguf": "q8_0"}
    assert content["evals"] == {"preference": {"judge": {"openai": {"model": "large"}}}}


@pytest.mark.parametrize("key", ["data: ", "data: {path: ", "stages: [sft: {dataset: "])
def test_a_path_that_lost_its_backslashes_is_refused(key: str, tmp_path: Path) -> None:
    written = f'name: x\n{key}"C:\\new\\train.jsonl"' + "}" * key.count("{")
    (tmp_path / "mine.yaml").write_text(written + "]" * key.count("["))
    with pytest.raises(UsageError, match="in single quotes, 'C:"):
        load_recipe(str(tmp_path / "mine.yaml"), [])
