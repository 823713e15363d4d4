"""Memory of training in 4 bits, beside what others measured."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.models.model import ModelRef
from stagelift.harness.forecast import guess
from stagelift.harness.forecast.guess import ModelSize, Training
from stagelift.harness.forecast.material import Texts
from stagelift.harness.forecast.work import training_work
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe

LLAMA_2_7B: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}
QWEN_7B: dict[str, Any] = {
    "vocab_size": 152_064,
    "hidden_size": 3584,
    "intermediate_size": 18_944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
}
QWEN_3B: dict[str, Any] = {
    "vocab_size": 151_936,
    "hidden_size": 2048,
    "intermediate_size": 11_008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
# a T4's 16 GB less what the driver and the GPU's context take
T4_BYTES = 15e9


def in_four_bits(folder: Path, kind: str, shape: dict[str, Any]) -> ModelRef:
    from transformers import AutoConfig

    AutoConfig.for_model(kind, **shape).save_pretrained(folder)
    return ModelRef(path=str(folder), dtype="float16", device="cuda", quantization="4bit")


def weights_of(size: ModelSize) -> float:
    return size.parameters * size.bytes_a_weight


def test_weights_take_what_was_published_of_qwens_7b(tmp_path: Path) -> None:
    size = guess.model_size(in_four_bits(tmp_path, "qwen2", QWEN_7B))
    # transformers counted 5.44 GB, without the constants of the blocks: 0.1 GB
    # (https://dev.to/sumanpro/qlora-fine-tuning-a-7b-model-on-a-16gb-gpu-it-shrank-to-54gb-in-front-of-me-28n4)
    assert weights_of(size) == pytest.approx(5.44e9 + 0.1e9, rel=0.01)


@pytest.mark.parametrize(
    ("sequences", "tokens", "gigabytes"), [(1, 1024, 6), (1, 2048, 7), (1, 4096, 9), (4, 1024, 9)]
)
def test_a_training_takes_what_was_measured_with_llamas_7b(
    tmp_path: Path, sequences: int, tokens: int, gigabytes: int
) -> None:
    """LLaMA-Factory's table, rank 8 on all layers, transformers with FlashAttention:
    https://github.com/hiyouga/LLaMA-Factory/wiki/Performance-comparison
    """
    ref = in_four_bits(tmp_path, "llama", LLAMA_2_7B)
    adapter = guess.adapter_weights(ref, {"r": 8, "target_modules": "all-linear"})
    assert adapter == 19_988_480
    work = Training(1, sequences, sequences, tokens, 0, 6)
    guessed = guess.training_bytes(guess.model_size(ref), work, "cuda", adapter)
    assert guessed == pytest.approx(gigabytes * 1e9, rel=0.15)


def test_the_recipe_for_a_t4_fits_even_where_every_row_is_as_long_as_it_may_be(
    tmp_path: Path, tiny_model: Path
) -> None:
    recipe = load_recipe("t4-qwen2.5-3b-4bit", [])
    assert (recipe.model.quantization, recipe.model.dtype) == ("4bit", "float16")
    ref = in_four_bits(tmp_path, "qwen2", QWEN_3B)
    size, adapter = guess.model_size(ref), guess.adapter_weights(ref, recipe.lora)
    assert size.parameters == 3_085_938_688 and weights_of(size) == pytest.approx(2.05e9, rel=0.01)
    local = [f"model.path={tiny_model}", "data.path=bundled/schoolmath", "data.name=null"]
    schoolmath = ["evals.accuracy.task=schoolmath", "model.dtype=float32"]
    plan = make_plan(load_recipe("t4-qwen2.5-3b-4bit", [*local, *schoolmath]))
    # four characters are a token; prompts are not cut, and GSM8K's are shorter than 250
    rows: dict[str, Texts] = {
        "sft": [["a" * 10_000]],
        "dpo": [["a" * 10_000]],
        "grpo": [["a" * 1_000]],
    }
    for node in plan.nodes[1:]:
        work = training_work(node, rows[node.kind])
        assert guess.training_bytes(size, work, "cuda", adapter) < T4_BYTES
    asked = guess.Asking(400, 32, 250, recipe.evals.accuracy.max_tokens)
    assert guess.evaluation_bytes(size, asked, "cuda") < T4_BYTES
