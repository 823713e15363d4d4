"""A random model of a real one's shape, made without the Hub; the time that it takes does not
depend on what its weights are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] "
    "}}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """What decides how much a model computes; `vocabulary` is how many tokens it knows."""

    layers: int
    width: int
    heads: int
    key_value_heads: int
    mlp: int
    vocabulary: int


# its output layer is its embedding
QWEN_HALF_BILLION = Shape(24, 896, 14, 2, 4864, 151_936)
TINY = Shape(2, 32, 2, 1, 64, 1_000)


def make_random_model(folder: Path, shape: Shape) -> Path:
    """Write a Qwen2 of this shape in bfloat16, and a tokenizer that knows fewer tokens than it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = school_tokenizer()
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        num_hidden_layers=shape.layers,
        hidden_size=shape.width,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        intermediate_size=shape.mlp,
        vocab_size=shape.vocabulary,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = Qwen2ForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def school_tokenizer(tokens: int = 600) -> "PreTrainedTokenizerFast":
    """Train a byte-level BPE tokenizer on bundled problems; it has ChatML's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from stagelift.evals.data.schoolmath import problems

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    texts = [f"{problem.question} {problem.answer}" for problem in problems("train", 300)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=tokens, special_tokens=special, initial_alphabet=alphabet),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
