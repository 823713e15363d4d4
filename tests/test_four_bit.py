"""Weights in 4 bits on the tiny model: really quantised, loaded, trained on and measured."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

from stagelift.evals.models import four_bit_product
from stagelift.evals.models.engines.inference import inference_copy
from stagelift.evals.models.four_bit import check_four_bit, check_version, in_full
from stagelift.evals.models.model import ModelRef, load_base, load_model
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.model_checks import check_lies_on
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.preflight import check_sources
from stagelift.harness.recipes.read import as_written, load_recipe
from stagelift.harness.run import model_of, train_job
from stagelift.stages.four_bit import adapter_unrounded
from stagelift.stages.lora import load_policy
from stagelift.stages.train import train

LN_2 = 0.693147
LORA = {"r": 4, "target_modules": "all-linear"}
TOKENS = torch.tensor([[1, 5, 9, 13, 17, 21, 25, 29]])


def in_four_bits(path: Path, dtype: Any = "float32") -> ModelRef:
    return ModelRef(path=str(path), dtype=dtype, device="cpu", quantization="4bit")


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(TOKENS).logits


def recipe(path: Path, **more: Any) -> dict[str, Any]:
    section = {"path": str(path), "dtype": "float32", "quantization": "4bit"}
    args = {"max_steps": 3, "per_device_train_batch_size": 4, "learning_rate": 1e-2}
    generation = {"num_generations": 4, "max_completion_length": 8, "beta": 0.1}
    return {
        "name": "four",
        "model": section,
        "lora": LORA,
        "data": {"path": "bundled/schoolmath", "limit": 16},
        "stages": [
            {"sft": {"args": args}},
            {"dpo": {"args": args}},
            {"grpo": {"rewards": ["tests.rewards.share_of_letters"], "args": args | generation}},
        ],
        "evals": {"accuracy": {"limit": 2}},
        **more,
    }


def planned(written: dict[str, Any]) -> Plan:
    read = load_recipe(written, [])
    check_sources(read)
    return make_plan(read)


def test_the_same_weights_are_the_same_4_bits_each_time(tiny_model: Path) -> None:
    first, second = (load_base(in_four_bits(tiny_model)).state_dict() for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    held = {name: weights.dtype for name, weights in first.items() if name.endswith(".weight")}
    assert held["model.layers.0.self_attn.q_proj.weight"] == torch.uint8
    # as QLoRA has it
    assert held["lm_head.weight"] == held["model.embed_tokens.weight"] == torch.float32


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_responses_come_from_the_weights_that_are_trained_on(tiny_model: Path, dtype: str) -> None:
    model = load_base(in_four_bits(tiny_model, dtype))
    copy = inference_copy(model, pack=False)
    assert torch.equal(logits(copy), logits(model))
    assert not [layer for layer in copy.modules() if in_full(layer) is not None]
    whole = load_base(ModelRef(path=str(tiny_model), dtype=dtype, device="cpu"))
    # and they are other weights than those that were quantised
    assert not torch.allclose(logits(model), logits(whole), atol=1e-4)


@pytest.mark.parametrize(("variant", "pack"), [("use_dora", False), ("use_rslora", True)])
def test_adapters_of_other_kinds_answer_as_they_train(
    tiny_model: Path, variant: str, pack: bool
) -> None:
    policy = load_policy(in_four_bits(tiny_model), {**LORA, variant: True}, seed=0)
    before = logits(policy)
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    moved = logits(policy)
    assert not torch.allclose(moved, before, atol=1e-3)
    assert torch.allclose(logits(inference_copy(policy, pack=pack)), moved, atol=1e-5)


def test_a_model_that_was_evaluated_still_trains(tiny_model: Path) -> None:
    policy = load_policy(in_four_bits(tiny_model, "bfloat16"), LORA, seed=0)
    logits(policy)
    policy.train()(TOKENS, labels=TOKENS).loss.backward()
    gradients = {
        name: parameter.grad for name, parameter in policy.named_parameters() if "lora_B" in name
    }
    assert len(gradients) == 14
    assert all(gradient is not None and gradient.any() for gradient in gradients.values())


def test_trl_does_not_round_an_adapter(tiny_model: Path) -> None:
    policy = load_policy(in_four_bits(tiny_model), LORA, seed=0)
    assert policy.is_loaded_in_4bit
    with adapter_unrounded(policy):
        assert not policy.is_loaded_in_4bit
    assert policy.is_loaded_in_4bit


def test_4_bits_are_part_of_what_models_and_numbers_are(tiny_model: Path) -> None:
    four = planned(recipe(tiny_model))
    usual = planned(recipe(tiny_model, model={"path": str(tiny_model), "dtype": "float32"}))
    assert four.contract == usual.contract | {"quantization": "4bit"}
    assert "quantization" not in usual.contract and "quantization" not in usual.nodes[0].identity
    assert {node.base.quantization for node in four.nodes} == {"4bit"}
    assert not {node.id for node in four.nodes} & {node.id for node in usual.nodes}
    assert as_written(four.recipe)["model"]["quantization"] == "4bit"
    assert "quantization" not in as_written(usual.recipe)["model"]


def test_weights_that_were_saved_in_4_bits_are_known_as_such(
    tiny_model: Path, tmp_path: Path
) -> None:
    from stagelift.evals.models.model import load_tokenizer

    saved = tmp_path / "tiny-bnb-4bit"
    model = load_base(in_four_bits(tiny_model, "bfloat16"))
    model.save_pretrained(saved)
    load_tokenizer(str(tiny_model), None, None).save_pretrained(saved)
    asked = planned(recipe(saved))
    itself = planned(recipe(saved, model={"path": str(saved), "dtype": "float32"}))
    assert [node.id for node in asked.nodes] == [node.id for node in itself.nodes]
    assert asked.contract == itself.contract and itself.contract["quantization"] == "4bit"
    ref = itself.nodes[0].base
    again = load_base(ref)
    layers = [layer for layer in map(in_full, again.modules()) if layer is not None]
    # what it was saved with was bfloat16
    assert len(layers) == 14 and {layer.weight.dtype for layer in layers} == {torch.float32}
    assert again.dtype == logits(again).dtype == torch.float32
    assert torch.allclose(logits(again), logits(model).float(), atol=0.05)


def test_weights_that_were_saved_quantised_are_exported_as_nothing_else(
    tiny_model: Path, tmp_path: Path
) -> None:
    saved = shutil.copytree(tiny_model, tmp_path / "saved")
    config = json.loads((saved / "config.json").read_text())
    in_4_bits = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (saved / "config.json").write_text(json.dumps({**config, "quantization_config": in_4_bits}))
    *_, of_base = planned(recipe(saved, stages=[], export=["gguf"])).nodes
    *_, of_adapter = planned(recipe(saved, export=["merged"])).nodes
    for node in (of_base, of_adapter):
        with pytest.raises(UsageError, match="weights of base, which were saved quantised, and"):
            check_lies_on(node)


@pytest.mark.real
def test_a_product_in_4_bits_is_tried_in_a_process_that_imports_nothing_of_ours() -> None:
    command = [sys.executable, "-I", four_bit_product.__file__, "cpu"]
    assert subprocess.run(command, check=False).returncode == 0


def test_what_cannot_be_in_4_bits_is_said(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match=r"bitsandbytes 0\.50 or later, and 0\.49\.2 is inst"):
        check_version("0.49.2")
    with pytest.raises(ValueError, match=r"do not work here: bitsandbytes .* machine's meta, "):
        check_four_bit("meta")
    written = recipe(tiny_model)
    for engine in ("vllm", {"server": {"url": "http://127.0.0.1:9/v1"}}):
        evals = {"accuracy": {"limit": 2}, "engine": engine}
        with pytest.raises(UsageError, match=r"model\.quantization is 4bit, and evals\.engine"):
            planned(written | {"evals": evals})
    with pytest.raises(UsageError, match=r"'model\.quantization' .* is '8bit', .* be '4bit'"):
        planned(recipe(tiny_model, model={"path": str(tiny_model), "quantization": "8bit"}))


@pytest.mark.real
def test_sft_dpo_and_grpo_go_on_from_one_another_in_4_bits(
    tiny_model: Path, tmp_path: Path
) -> None:
    store, before, firsts = Store(tmp_path / "runs"), None, []
    for node in planned(recipe(tiny_model)).nodes[1:]:
        job, place = train_job(node, store), store.node_folder(node).path
        start = load_policy(job.parent, job.lora, job.seed)
        if before is not None:
            assert torch.equal(logits(start), logits(before))
        done = train(
            job.settings, job.parent, job.lora, job.seed, place, job.versions, lambda *_: None
        )
        firsts.append(done.history[0])
        weights = load_file(place / "adapter" / "adapter_model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
        assert done.trainable_parameters == sum(tensor.numel() for tensor in weights.values())
        before = load_model(model_of(node, store))
        assert not torch.allclose(logits(before), logits(start), atol=1e-5)
        adapted = [layer for layer in before.modules() if isinstance(layer, LoraLayer)]
        assert all(in_full(layer.get_base_layer()) is not None for layer in adapted)
    assert firsts[1]["loss"] == pytest.approx(LN_2, abs=1e-5) and firsts[2]["kl"] == 0
