"""`stagelift evaluate --checkpoints`: the checkpoints of others' trainers, measured on validation
data; the test problems are asked of the selected one alone.
"""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stagelift.evals.models.model import ModelRef
from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.graph.trajectories import trajectory_node
from stagelift.harness.graph.validation import selects
from stagelift.harness.recipes.read import as_written, load_recipe, trajectory_recipe
from stagelift.harness.recipes.sections import CheckpointSection, Recipe
from stagelift.harness.run import model_of, prepare
from stagelift.reports.records import read_run
from stagelift.stages.saved_checkpoints import base_of_adapters, saved_checkpoints
from tests.in_process import run_recipe

RECIPE = """
name: mine
model: {{path: "{model}", dtype: float32}}
stages: []
evals:
  accuracy: {{task: schoolmath, limit: 6, max_tokens: 8, batch_size: 4}}
  preference: {{prompts: null}}
  validation: {{limit: 10}}
"""


def save_adapters(model: Path, folder: Path, *steps: int) -> Path:
    """Random adapters as trainers save them, each of other weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    for step in steps:
        torch.manual_seed(step)
        base = AutoModelForCausalLM.from_pretrained(model)
        config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
        path = folder / f"checkpoint-{step}"
        get_peft_model(base, config).save_pretrained(path)
        (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return folder


def save_weights(model: Path, folder: Path, *steps: int) -> Path:
    """Full weights as trainers save them, with the tokenizer beside them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for step in steps:
        loaded = AutoModelForCausalLM.from_pretrained(model)
        torch.manual_seed(step)
        with torch.no_grad():
            for weights in loaded.parameters():
                weights.add_(0.05 * torch.randn_like(weights))
        path = folder / f"checkpoint-{step}"
        loaded.save_pretrained(path)
        AutoTokenizer.from_pretrained(model).save_pretrained(path)
    return folder


@pytest.fixture
def recipe_file(tiny_model: Path, tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE.format(model=tiny_model.as_posix()))
    return str(path)


def trajectory_of(recipe: str, folder: Path, model: str | None = None) -> Recipe:
    return trajectory_recipe(recipe, [], str(folder), model, "preference_accuracy", None)


def asked(folder: Path) -> dict[str, set[str]]:
    """Which splits a model was asked, or had its pairs scored of, by the name of its node."""
    splits: dict[str, set[str]] = {}
    for name in ("generations.jsonl", "pairs.jsonl"):
        for file in folder.rglob(name):
            lines = file.read_text().splitlines()
            node = file.parent.parent.parent.name
            splits.setdefault(node, set()).update(
                json.loads(line)["id"].split("/")[1] for line in lines
            )
    return splits


@pytest.mark.real
def test_the_test_problems_are_asked_of_the_best_checkpoint_alone(
    tiny_model: Path, recipe_file: str, tmp_path: Path
) -> None:
    folder = save_adapters(tiny_model, tmp_path / "out", 9, 100, 20)
    (folder / "checkpoint-30").mkdir()
    recipe = trajectory_of(recipe_file, folder)
    assert recipe.model.path == str(tiny_model)
    done = run_recipe(recipe, tmp_path / "runs")
    record, store = read_run(done.folder), Store(tmp_path / "runs")
    base, selected = prepare(recipe, store).nodes
    assert [stage.name for stage in record.stages] == ["base", "selected"]
    selection = store.node_folder(selected).read_selection()
    assert list(selection.curve) == [9, 20, 100]
    assert list(selection.left_out) == ["checkpoint-30"]
    assert record.trajectories["selected"].selected == selection.selected
    assert model_of(selected, store).adapter == str(folder / f"checkpoint-{selection.selected}")
    splits = asked(tmp_path / "runs")
    candidates = [node for _, node in selected.selects.candidates] if selected.selects else []
    assert splits == {
        base.id: {"validation", "test"},
        selected.id: {"test"},
        **{node.id: {"validation"} for node in candidates},
    }
    # one more checkpoint: only that one is measured
    save_adapters(tiny_model, folder, 40)
    more = trajectory_of(recipe_file, folder).model_copy(update={"name": "more"})
    again = run_recipe(more, tmp_path / "runs")
    assert again.started("evaluate") == ["selected"] * 2


@pytest.mark.real
def test_what_trl_leaves_is_read(tiny_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    rows = [{"prompt": f"What is {n} + 2?", "completion": f"#### {n + 2}"} for n in range(16)]
    SFTTrainer(
        model=str(tiny_model),
        args=SFTConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=12,
            save_steps=3,
            per_device_train_batch_size=1,
            use_cpu=True,
            bf16=False,
            report_to="none",
            activation_checkpointing=False,
        ),
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(r=4, target_modules=["q_proj"]),
    ).train()
    found = saved_checkpoints(tmp_path / "out")
    assert [checkpoint.step for checkpoint in found.whole] == [3, 6, 9, 12]
    assert found.left_out == {} and base_of_adapters(found) == str(tiny_model)


@pytest.mark.real
def test_whole_weights_are_selected_and_trained_on(
    tiny_model: Path, recipe_file: str, tmp_path: Path
) -> None:
    folder = save_weights(tiny_model, tmp_path / "out", 10, 20)
    with pytest.raises(UsageError, match="do not say which model they were trained from"):
        trajectory_of(recipe_file, folder)
    recipe = trajectory_of(recipe_file, folder, str(tiny_model))
    args = "{max_steps: 2, per_device_train_batch_size: 2}"
    stages = f"[checkpoint: {{checkpoints: {folder}}}, sft: {{args: {args}}}]"
    trained = load_recipe(recipe_file, [f"stages={stages}"], "trained")
    done = run_recipe(trained, tmp_path / "runs")
    store = Store(tmp_path / "runs")
    _, checkpoint, sft = prepare(trained, store).nodes
    step = store.node_folder(checkpoint).read_selection().selected
    assert model_of(checkpoint, store).path == str(folder / f"checkpoint-{step}")
    assert model_of(sft, store).path == str(folder / f"checkpoint-{step}")
    assert [stage.name for stage in read_run(done.folder).stages] == ["base", "checkpoint", "sft"]
    assert Recipe.model_validate(as_written(recipe)) == recipe


def test_a_folder_of_checkpoints_is_one_node_of_all_of_them(
    tiny_model: Path, recipe_file: str, tmp_path: Path
) -> None:
    folder = save_adapters(tiny_model, tmp_path / "out", 10, 20)
    plan = make_plan(trajectory_of(recipe_file, folder))
    node: Node = plan.nodes[1]
    assert node.adapter is None and node.selects is not None
    assert list(node.identity["select"]["checkpoints"]) == ["10", "20"]
    section = CheckpointSection(checkpoints=str(folder), metric="accuracy")
    other = trajectory_node(plan.recipe, section, str(folder), "other", plan.nodes[:1])
    assert other.id != node.id
    command = ["evaluate", "--checkpoints", str(folder), "--recipe", recipe_file, "--dry-run"]
    seen = CliRunner().invoke(app, [*command, "--runs", str(tmp_path / "runs")])
    assert seen.exit_code == 0, seen.output
    assert "selected: checkpoint-" in seen.output and not (tmp_path / "runs").exists()


def test_the_model_below_checkpoints_keeps_the_name_that_it_is_given(
    tiny_model: Path, recipe_file: str, tmp_path: Path
) -> None:
    folder = save_adapters(tiny_model, tmp_path / "out", 10, 20)
    command = ["evaluate", f"start={tiny_model}", "--checkpoints", str(folder), "--dry-run"]
    seen = CliRunner().invoke(app, [*command, "--recipe", recipe_file, "--runs", str(tmp_path)])
    assert seen.exit_code == 0, seen.output
    assert [line.split(":")[0] for line in seen.stdout.splitlines()[1:]] == ["start", "selected"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--metric", "accuracy"], "name their folder with --checkpoints"),
        ([], "Name what to evaluate"),
        (["--checkpoints", "nowhere"], "'nowhere' is no folder"),
        (["--checkpoints", "nowhere", "--adapter", "x"], "goes with one model"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    recipe_file: str, tmp_path: Path, words: list[str], sentence: str
) -> None:
    command = ["evaluate", *words, "--recipe", recipe_file, "--runs", str(tmp_path / "runs")]
    seen = CliRunner().invoke(app, command)
    assert seen.exit_code == 2 and sentence in seen.output.replace("\n", " ")
    assert not (tmp_path / "runs").exists()


def test_nats_per_token_do_not_select_where_tokenizers_differ(
    tiny_model: Path, another_model: Path, recipe_file: str
) -> None:
    recipe = load_recipe(recipe_file, [])
    base, other = (
        ModelRef(path=str(path), dtype="float32", device="cpu")
        for path in (tiny_model, another_model)
    )
    metric = "preference_accuracy_per_token"
    assert selects(recipe, metric, base, [base]).metric == metric
    with pytest.raises(UsageError, match=r"tokenizers differ, .*Use preference_accuracy\."):
        selects(recipe, metric, base, [other])


def test_a_metric_without_checkpoints_is_a_mistake_in_a_recipe() -> None:
    with pytest.raises(ValueError, match="by which one of several checkpoints is selected"):
        CheckpointSection(model="out", metric="accuracy")
    with pytest.raises(ValueError, match="names 2 of them"):
        CheckpointSection(model="out", checkpoints="out")
