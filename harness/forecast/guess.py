"""What a job might take where nothing like it was ever done here: floating-point operations over a
speed, and sizes added up.

With N parameters a LoRA step costs 4N operations a token: 2N forward, and 2N backward, for the
weights need no gradient. Computing activations again (GPU) costs 2N more, and so does every pass
through a reference. Generating costs 2N a token, in steps of a whole batch that are never faster
than a few hundredths of a second.

The speeds are what small models reach, not what a device could: a guess may well be three times
off, either way, and says so.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from stagelift.evals.models import pretrained
from stagelift.evals.models.four_bit import bytes_of
from stagelift.evals.models.model import Device, ModelRef, model_folder, remembered_of_model
from stagelift.harness.environment import torch_threads
from stagelift.stages.exports.export import ExportedAs
from stagelift.stages.lora_settings import as_stored, lora_config

TIMES_OFF = 3
CHARACTERS_A_TOKEN = 4
# operations a second
_SPEED_A_THREAD, _GPU_SPEED = 5e10, 3e13
# of generating one token for a batch of any size
_STEP_SECONDS = {"cpu": 0.05, "cuda": 0.03}
_START_SECONDS = 10
# what the libraries take
_PROCESS_BYTES = {"cpu": 1_000_000_000, "cuda": 500_000_000}
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# parameters that are merged, written and read again in a second
_MERGED_A_SECOND = 2e7
# numbers kept for the backward pass, for each token and unit of width
_ACTIVATIONS_A_LAYER = 40


@dataclass(frozen=True)
class ModelSize:
    """Numbers of a model that cost depends on; `cache` is the width of a layer's keys and
    values. Quantised weights have fewer bytes on average than a number that is computed with.
    """

    parameters: int
    bytes_a_weight: float
    width: int
    layers: int
    vocabulary: int
    cache: int
    bytes_a_number: int


@dataclass(frozen=True)
class Training:
    """`sequences` of `tokens` pass through the model at once, `step_sequences` in a step.

    Of their tokens `generated` are generated first. `operations` are those for each token and
    parameter. Each weight of the adapter takes `bytes_a_trained_weight`, with its gradient, what
    the optimiser keeps of it, and the frozen copy of a reference.
    """

    steps: int
    sequences: int
    step_sequences: int
    tokens: float
    generated: int
    operations: int
    bytes_a_trained_weight: int = 16


@dataclass(frozen=True)
class Asking:
    """`responses` of up to `generated` tokens to prompts of `tokens`, `batch` at once."""

    responses: int
    batch: int
    tokens: float
    generated: int


def model_size(ref: ModelRef) -> ModelSize:
    """Read a model's sizes off its skeleton, without weights."""
    sizes = remembered_of_model("sizes", ref.path, ref.revision, None, partial(_sizes, ref))
    bits, inner, number = sizes.pop("bits"), sizes.pop("inner"), _BYTES[ref.dtype]
    weight = number if bits is None else bits / 8
    if ref.quantization is not None:
        # the others stay as they are
        held = bytes_of(inner) + (sizes["parameters"] - inner) * number
        weight = held / sizes["parameters"]
    return ModelSize(**sizes, bytes_a_weight=weight, bytes_a_number=number)


def adapter_weights(ref: ModelRef, lora: dict[str, Any]) -> int:
    """Count the weights that a LoRA adapter with such settings has on a model."""

    def count() -> int:
        import torch
        from peft import get_peft_model

        skeleton = pretrained.skeleton(model_folder(ref.path), ref.revision)
        with torch.device("meta"):
            policy = get_peft_model(skeleton, lora_config(as_stored(lora)))
        return sum(weight.numel() for weight in policy.parameters() if weight.requires_grad)

    return int(remembered_of_model("adapter-weights", ref.path, ref.revision, lora, count))


def _sizes(ref: ModelRef) -> dict[str, int | None]:
    model = pretrained.skeleton(model_folder(ref.path), ref.revision)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    text: Any = model.config.get_text_config()
    heads = text.num_attention_heads
    cache = 2 * (getattr(text, "num_key_value_heads", None) or heads) * text.hidden_size // heads
    return {
        "bits": _bits(model.config),
        "parameters": parameters,
        "inner": _inner(model),
        "width": text.hidden_size,
        "layers": text.num_hidden_layers,
        "vocabulary": text.vocab_size,
        "cache": cache,
    }


def _inner(model: Any) -> int:
    """Count the weights of linear layers but for the one over the vocabulary: what 4 bits are made
    of.
    """
    from torch.nn import Linear

    linear = [layer for layer in model.modules() if isinstance(layer, Linear)]
    outer = model.get_output_embeddings()
    return sum(layer.weight.numel() for layer in linear if layer is not outer)


def _bits(config: Any) -> int | None:
    """Return with how many bits weights were saved that are quantised; None for others."""
    settings = getattr(config, "quantization_config", None) or {}
    if settings.get("load_in_4bit"):
        return 4
    return 8 if settings.get("load_in_8bit") else settings.get("bits")


def training_seconds(model: ModelSize, work: Training, on: Device) -> float:
    """Guess how long a training takes."""
    tokens = work.steps * work.step_sequences * work.tokens
    learning = work.operations * model.parameters * tokens / _speed(on)
    generating = _generating_seconds(model, work.steps * work.generated, work.step_sequences, on)
    return _START_SECONDS + learning + generating


def training_bytes(model: ModelSize, work: Training, on: Device, adapter: int = 0) -> int:
    """Guess the peak memory of a training: weights, an adapter of so many of its own, activations
    and the scores of every token of the vocabulary, or the cache while completions are generated.
    """
    tokens = work.sequences * work.tokens
    # a GPU keeps one number a layer and computes a layer again
    layers = 2 if on == "cuda" else model.layers
    activations = tokens * model.width * layers * _ACTIVATIONS_A_LAYER * model.bytes_a_number
    scores = 3 * tokens * model.vocabulary * 4
    generating = 0.0
    if work.generated:
        generating = _generating_bytes(model, work.step_sequences, work.tokens, on)
    kept = _weights(model, on) + adapter * work.bytes_a_trained_weight
    return kept + int(max(activations + scores, generating))


def evaluation_seconds(model: ModelSize, work: Asking, on: Device) -> float:
    """Guess how long an evaluation takes: all that is generated, to the limit, after the prompts
    were read.
    """
    batches = -(-work.responses // work.batch)
    reading = 2 * model.parameters * work.responses * work.tokens / _speed(on)
    generating = _generating_seconds(model, batches * work.generated, work.batch, on)
    return _START_SECONDS + reading + generating


def evaluation_bytes(model: ModelSize, work: Asking, on: Device) -> int:
    """Guess the peak memory of an evaluation: weights, the cache of keys and values, the scores of
    one token a response.
    """
    tokens = work.tokens + work.generated
    return _weights(model, on) + int(_generating_bytes(model, work.batch, tokens, on))


def _generating_bytes(model: ModelSize, rows: int, tokens: float, on: Device) -> float:
    """What is needed beside the weights for rows of so many tokens in the end."""
    cache = rows * tokens * model.layers * model.cache * model.bytes_a_number
    in_full = 0
    if on == "cpu" and model.bytes_a_weight < model.bytes_a_number:
        # quantised weights are de-quantised once
        in_full = model.parameters * model.bytes_a_number
    return cache + rows * model.vocabulary * 8 + in_full


def _generating_seconds(model: ModelSize, steps: int, batch: int, on: Device) -> float:
    return steps * (_STEP_SECONDS[on] + 2 * model.parameters * batch / _speed(on))


def _weights(model: ModelSize, on: Device) -> int:
    return _PROCESS_BYTES[on] + int(model.parameters * model.bytes_a_weight)


def export_seconds(model: ModelSize, wanted: ExportedAs) -> float:
    """Guess how long it takes to merge a model's adapters and to write what comes of it."""
    times = 1 if wanted.gguf is None else 2
    return _START_SECONDS + times * model.parameters / _MERGED_A_SECOND


def export_bytes(model: ModelSize) -> int:
    """Guess the peak memory of an export: weights in float32, and as they are stored."""
    return _PROCESS_BYTES["cpu"] + 6 * model.parameters


def disk_bytes(model: ModelSize, wanted: ExportedAs) -> int:
    """Return how many bytes the weights of an export take."""
    return round(model.parameters * wanted.bits / 8)


def _speed(on: Device) -> float:
    return _GPU_SPEED if on == "cuda" else _SPEED_A_THREAD * torch_threads()
