"""What is said of models and adapters that cannot be used, before any is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.model_checks import (
    check_adapters,
    check_lies_on,
    check_models,
    other_model,
    trained_on_other_models,
)
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.preflight import check_servers
from stagelift.harness.recipes.read import load_recipe
from tests.adapters import make_adapter, with_settings
from tests.test_gguf import written


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_model, tmp_path_factory.mktemp("adapter") / "adapter")


@pytest.fixture
def evaluate(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(
        app, ["evaluate", *words, "--recipe", str(tiny_recipe), "--dry-run"]
    )


def test_a_chain_is_checked_and_listed(
    evaluate: Callable[..., Result], tiny_model: Path, another_model: Path, adapter: Path
) -> None:
    done = evaluate(f"start={tiny_model}", f"sft={another_model}", f"dpo={adapter}")
    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.stdout.splitlines()[1:]] == ["start", "sft", "dpo"]


def test_what_cannot_be_used_is_a_sentence_and_exit_code_2(
    evaluate: Callable[..., Result], tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    both = shutil.copytree(tiny_model, tmp_path / "both")
    shutil.copy(adapter / "adapter_config.json", both)
    bare = shutil.copytree(tiny_model, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    short = shutil.copytree(tiny_model, tmp_path / "short")
    weights = short / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    pissa = with_settings(adapter, tmp_path / "pissa", init_lora_weights="pissa_niter_4")
    silent = written(tmp_path / "silent.gguf", None)
    other = written(tmp_path / "other.gguf", "{{ messages }}")
    other.write_bytes(other.read_bytes().replace(b"llama", b"lllll"))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(other.read_bytes()[:100])
    quantised = shutil.copytree(tiny_model, tmp_path / "quantised")
    config = json.loads((quantised / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (quantised / "config.json").write_text(json.dumps(config))
    sentences = {
        both: "has full weights and an adapter",
        bare: "there are no weights (*.safetensors) in it",
        short: "is cut off: its tensors end at byte",
        pissa: "was initialised with pissa_niter_4, which changes the weights below it",
        silent: "has no chat template",
        other: "is a 'lllll', which transformers cannot de-quantise",
        broken: "is damaged or cut off",
        quantised: "are quantised with gptq, and cannot be loaded here: ",
    }
    for path, says in sentences.items():
        done = evaluate(f"base={tiny_model}", f"sft={path}")
        assert done.exit_code == 2 and says in done.stderr, done.output
        assert str(path) in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_an_adapter_of_other_shapes_does_not_fit(
    tiny_recipe: Path, adapter: Path, tmp_path: Path
) -> None:
    # settings of another rank than its weights have
    other = with_settings(adapter, tmp_path / "other", r=2)
    elsewhere = with_settings(adapter, tmp_path / "elsewhere", target_modules=["k_proj"])
    more = with_settings(adapter, tmp_path / "more", target_modules=["q_proj", "v_proj", "o_proj"])
    sentences = {
        other: r"'.*lora_A.weight' is 4 x 32 in it, and 2 x 32 there",
        elsewhere: "it has weights for '.*q_proj.lora_A.weight', which is not there",
        more: "its weights of '.*o_proj.lora_A.weight' are missing",
    }
    for path, says in sentences.items():
        stages = json.dumps([{"checkpoint": {"adapter": str(path)}}])
        plan = make_plan(load_recipe(str(tiny_recipe), [f"stages={stages}"]))
        with pytest.raises(UsageError, match=f"The adapter at '{path}' does not fit.*{says}"):
            check_adapters(plan)


def several(adapter: Path, folder: Path, **settings: object) -> Path:
    """Checkpoints of two steps, as a trainer leaves them."""
    for step in (10, 20):
        with_settings(adapter, folder / f"checkpoint-{step}", **settings)
    return folder


def test_every_checkpoint_that_one_is_selected_among_has_to_be_one_that_can_be_merged(
    tiny_recipe: Path, adapter: Path, tmp_path: Path
) -> None:
    bones = several(adapter, tmp_path / "out", peft_type="BONE")
    stages = [
        {"checkpoint": {"name": "sft", "checkpoints": str(bones)}},
        {"checkpoint": {"name": "dpo", "adapter": str(adapter), "onto": "sft"}},
    ]
    recipe = load_recipe(str(tiny_recipe), [f"stages={json.dumps(stages)}"])
    _, sft, dpo = make_plan(recipe).nodes
    with pytest.raises(UsageError, match=r"of stage 'sft-10', which is of the kind BONE"):
        check_lies_on(dpo)
    check_lies_on(sft)


def test_every_checkpoint_that_one_is_selected_among_has_to_be_one_that_the_engine_serves(
    tiny_recipe: Path, adapter: Path, tmp_path: Path
) -> None:
    wide = several(adapter, tmp_path / "out", r=1024)
    stages = json.dumps([{"checkpoint": {"name": "sft", "checkpoints": str(wide)}}])
    engine = "evals.engine={server: {url: 'http://127.0.0.1:9', model: base, max_retries: 0}}"
    plan = make_plan(load_recipe(str(tiny_recipe), [f"stages={stages}", engine]))
    with pytest.raises(ValueError, match="vLLM cannot serve an adapter of rank 1024"):
        check_servers(plan)


def test_an_adapter_on_whichever_checkpoint_is_selected_is_told(
    tiny_recipe: Path, tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    for step in (10, 20):
        shutil.copytree(tiny_model, tmp_path / "out" / f"checkpoint-{step}")
    last = str(tmp_path / "out" / "checkpoint-20")
    named = with_settings(adapter, tmp_path / "a", base_model_name_or_path=last)
    stages = [
        {"checkpoint": {"name": "sft", "checkpoints": str(tmp_path / "out")}},
        {"checkpoint": {"name": "dpo", "adapter": str(named), "onto": "sft"}},
    ]
    plan = make_plan(load_recipe(str(tiny_recipe), [f"stages={json.dumps(stages)}"]))
    (told,) = trained_on_other_models(plan)
    assert f"trained on '{last}', and is put on the checkpoint that is selected as sft." in told


def test_an_adapter_that_names_another_model_is_told(
    tiny_recipe: Path, adapter: Path, tmp_path: Path
) -> None:
    elsewhere = with_settings(adapter, tmp_path / "a", base_model_name_or_path="Org/Qwen2-0.5B")
    stages = [{"checkpoint": {"adapter": str(elsewhere)}}]
    recipe = load_recipe(str(tiny_recipe), [f"stages={json.dumps(stages)}"])
    check_models(recipe)
    plan = make_plan(recipe)
    (told,) = trained_on_other_models(plan)
    assert "says that it was trained on 'Org/Qwen2-0.5B', and is put on base" in told
    assert [other_model(node) for node in plan.nodes] == [None, "Org/Qwen2-0.5B"]
    stages = [{"checkpoint": {"adapter": str(adapter)}}]
    plan = make_plan(load_recipe(str(tiny_recipe), [f"stages={json.dumps(stages)}"]))
    assert trained_on_other_models(plan) == []


@pytest.mark.parametrize("rank", [33, 1_000_000])
def test_a_rank_that_no_weight_can_use_is_refused(tiny_recipe: Path, rank: int) -> None:
    # the tiny model is 32 wide
    plan = make_plan(load_recipe(str(tiny_recipe), [f"lora.r={rank}"]))
    with pytest.raises(UsageError, match=f"r is {rank}, .* ranks of 32 at most"):
        check_adapters(plan)
    check_adapters(make_plan(load_recipe(str(tiny_recipe), ["lora.r=32"])))
