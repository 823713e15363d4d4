"""The only place that reads models, tokenizers and adapters from a folder or the Hub.

`source` is a folder or a Hub name, as transformers takes it; `model.model_folder` gives one for
what a recipe names. What is loaded is set up where it is used: see `model.py` for models that
generate. Code that comes with a model or an adapter is never run, and nobody is asked whether to.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stagelift.evals.models.four_bit import quantising

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import (
        GenerationConfig,
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )


# said or not: where it is not said, transformers asks on standard input
_NO_CODE = {"trust_remote_code": False}


def language_model(source: str, revision: str | None, dtype: "torch.dtype") -> "PreTrainedModel":
    """Load a causal language model."""
    from transformers import AutoModelForCausalLM

    with _without_its_code(source):
        return AutoModelForCausalLM.from_pretrained(
            source, revision=revision, dtype=dtype, **_NO_CODE
        )


def four_bit_model(
    source: str, revision: str | None, dtype: "torch.dtype", device: str
) -> "PreTrainedModel":
    """Load a causal language model in 4 bits onto a device, as it was saved or quantised now."""
    import torch
    from transformers import AutoModelForCausalLM

    own = getattr(model_config(source, revision), "quantization_config", None)
    with _without_its_code(source):
        return AutoModelForCausalLM.from_pretrained(
            source,
            revision=revision,
            dtype=dtype,
            # each process that trains has a GPU of its own
            device_map={"": torch.cuda.current_device() if device == "cuda" else device},
            # said of weights that were saved quantised, it would stand for how they were
            **({} if own else {"quantization_config": quantising(dtype)}),
            **_NO_CODE,
        )


def reward_model(
    source: str, revision: str | None, dtype: "torch.dtype | Literal['auto']"
) -> "PreTrainedModel":
    """Load a sequence-classification model with one output.

    Where the weights have no such head, it starts at random.
    """
    from transformers import AutoModelForSequenceClassification

    with _without_its_code(source):
        return AutoModelForSequenceClassification.from_pretrained(
            source, revision=revision, dtype=dtype, num_labels=1, **_NO_CODE
        )


def skeleton(source: str, revision: str | None) -> "PreTrainedModel":
    """Build a causal language model without weights: its modules and their shapes."""
    import torch
    from transformers import AutoModelForCausalLM

    config = model_config(source, revision)
    with _without_its_code(source), torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, **_NO_CODE)


def model_config(source: str, revision: str | None) -> "PreTrainedConfig":
    """Read a model's config.json."""
    from transformers import AutoConfig

    with _without_its_code(source):
        config = AutoConfig.from_pretrained(source, revision=revision, **_NO_CODE)
    _check_no_kernel(source, config)
    return config


def generation_config(source: str, revision: str | None) -> "GenerationConfig":
    """Read how a model generates: its generation_config.json, else what its config.json says."""
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(source, revision=revision)
    except OSError:
        return GenerationConfig.from_model_config(model_config(source, revision))


def tokenizer(
    source: str, revision: str | None, padding_side: Literal["left", "right"]
) -> "PreTrainedTokenizerBase":
    """Load a tokenizer as it was saved."""
    from transformers import AutoTokenizer

    with _without_its_code(source):
        return AutoTokenizer.from_pretrained(
            source, revision=revision, padding_side=padding_side, **_NO_CODE
        )


def dequantised(gguf: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load the language model and tokenizer of a GGUF file, its weights as bfloat16."""
    import torch
    from transformers import AutoTokenizer

    model = language_model_of_gguf(gguf, torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, **_NO_CODE)
    return model, tokenizer


def language_model_of_gguf(gguf: Path, dtype: "torch.dtype") -> "PreTrainedModel":
    """Load the causal language model of a GGUF file, its weights de-quantised into a dtype."""
    from transformers import AutoModelForCausalLM, GgufConfig

    return AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=dtype,
        **_NO_CODE,
    )


def gguf_architectures() -> list[str]:
    """Name the architectures whose GGUF files transformers de-quantises."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    return sorted(GGUF_SUPPORTED_ARCHITECTURES)


def check_quantisation(source: str, settings: dict[str, Any]) -> None:
    """Raise ValueError in a sentence where weights that were saved quantised, with such settings
    in their config.json, cannot be loaded here.
    """
    from transformers.quantizers.auto import AutoHfQuantizer

    try:
        AutoHfQuantizer.from_config(settings, pre_quantized=True).validate_environment()
    except Exception as error:
        # each method has packages and devices of its own
        method = settings.get("quant_method", "a method that is not named")
        raise ValueError(
            f"The weights at '{source}' are quantised with {method}, and cannot be loaded here: "
            f"{' '.join(str(error).split())}"
        ) from error


def with_adapter(
    model: "PreTrainedModel", adapter: str | Path, *, trainable: bool = False
) -> "PeftModel":
    """Put an adapter on a model."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, adapter, is_trainable=trainable)


def adapter_config(adapter: str | Path) -> "PeftConfig":
    """Read an adapter's settings."""
    from peft import PeftConfig

    return PeftConfig.from_pretrained(adapter)


def _check_no_kernel(source: str, config: "PreTrainedConfig") -> None:
    """Raise ValueError where a model's settings name a kernel of the Hub's: a program."""
    named = getattr(config, "_attn_implementation", None)
    kernel = next((text for text in _texts(named) if "/" in text), None)
    if kernel is not None:
        raise ValueError(
            f"'{source}' names the kernel '{kernel:.80}' of the Hub (attn_implementation in its "
            "settings), which is code, and never run here. Take that out of its config.json."
        )


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    return [value] if isinstance(value, str) else []


@contextmanager
def _without_its_code(source: str) -> Iterator[None]:
    """Say in a sentence of a model whose architecture is in its own code that it cannot be used."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ValueError(
            f"'{source}' names code of its own (auto_map in its settings) and cannot be loaded "
            "without it: that code is never run here. Take a model whose architecture and "
            "tokenizer transformers has itself."
        ) from error
