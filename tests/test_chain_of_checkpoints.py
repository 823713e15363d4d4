"""Whole runs over chains of what was trained elsewhere, with tokenizers of their own."""

from pathlib import Path

import pytest

from stagelift.evals.contract import EACH_ITS_OWN
from stagelift.harness.recipes.named_models import read_chain
from stagelift.harness.recipes.read import chain_recipe, load_recipe
from stagelift.reports.records import RunRecord, read_run
from tests.adapters import make_adapter, merged_model
from tests.conftest import make_tiny_model
from tests.in_process import run_recipe

SMALL = ["evals.accuracy.limit=6", "evals.accuracy.held_out=0"]


def read(folder: Path) -> RunRecord:
    return read_run(folder)


@pytest.mark.real
def test_three_full_weights_of_different_tokenizers_are_one_run(
    tiny_recipe: Path, tiny_model: Path, another_model: Path, tmp_path: Path
) -> None:
    third = make_tiny_model(tmp_path / "third", "{{ messages[0]['content'] }}\n", tokens=500)
    words = [f"base={tiny_model}", f"sft={another_model}", f"dpo={third}"]
    recipe = chain_recipe(str(tiny_recipe), SMALL, read_chain(words), "chain")
    run = read(run_recipe(recipe, tmp_path / "runs").folder)
    assert run.contract["chat_template"] == EACH_ITS_OWN == run.contract["tokenizers"]
    for key in ("chat_template", "tokenizer"):
        assert len({getattr(stage.evaluation, key) for stage in run.stages}) == 3
    for stage in run.stages:
        metrics = stage.evaluation.metrics
        assert "length_chars" in metrics and "length_tokens" not in metrics
        assert "preference_accuracy_per_token" not in metrics
    prompts = [next(iter(stage.generations.values())).prompt for stage in run.stages]
    assert prompts[0].startswith("<|im_start|>") and prompts[1].startswith("[INST]")
    text = (tmp_path / "runs" / "chain" / "report.md").read_text("utf-8").replace("\\", "")
    assert "each stage's own: base (" in text and "compared in characters" in text
    assert "tokens" not in text.split("length")[1].split("\n")[0]


@pytest.mark.real
def test_stages_are_trained_on_checkpoints_of_every_kind(
    tiny_recipe: Path, tiny_model: Path, another_model: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(tiny_model, tmp_path / "adapter")
    merged = merged_model(tiny_model, adapter, tmp_path / "merged")
    stages = (
        f"[{{checkpoint: {{name: a, adapter: {adapter}}}}}, "
        "{sft: {args: {max_steps: 1, per_device_train_batch_size: 2}}}, "
        f"{{checkpoint: {{name: b, model: {another_model}}}}}, "
        "{dpo: {args: {max_steps: 1, per_device_train_batch_size: 2}}}, "
        f"{{checkpoint: {{name: c, model: {merged}}}}}]"
    )
    recipe = load_recipe(str(tiny_recipe), [*SMALL, f"stages={stages}"])
    run = read(run_recipe(recipe, tmp_path / "runs").folder)
    assert [stage.name for stage in run.stages] == ["base", "a", "sft", "b", "dpo", "c"]
    # merged into float32 weights it is the adapter's model again
    responses = {
        stage.name: [answer.response for answer in stage.generations.values()]
        for stage in run.stages
    }
    assert responses["a"] == responses["c"] != responses["base"]
    assert run.stage("dpo").weights == "b"
