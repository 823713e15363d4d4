"""The commit of a Hub model, and whether a folder holds weights: what no tokenizer says."""

from functools import partial
from pathlib import Path
from typing import Any

from stagelift.evals.models import bundled, gguf, pretrained
from stagelift.evals.models.four_bit import Quantization, check_four_bit, is_four_bit
from stagelift.evals.models.given import cannot_read, check_weights
from stagelift.evals.models.model import model_folder, remembered_of_model
from stagelift.harness.errors import UsageError
from stagelift.stages.precision import device


def model_revision(path: str, revision: str | None) -> str | None:
    """Pin a Hub model to the commit its branch stands at; local and bundled models have none.

    Raises UsageError.
    """
    if path == bundled.NAME or gguf.is_gguf(path):
        return None
    try:
        quantised = quantisation(path, revision)
        commit = None if Path(path).is_dir() else _hub_commit(path, revision)
    except Exception as error:
        # transformers raises errors of many kinds for one cause
        raise UsageError(cannot_read(path, error)) from error
    try:
        if commit is None:
            check_weights(Path(path))
        if quantised is not None:
            pretrained.check_quantisation(path, quantised)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return commit


def quantisation(path: str, revision: str | None) -> dict[str, Any] | None:
    """Return how weights were quantised when they were saved; None where they are not.

    Raises what transformers raises where it cannot read the model's config.
    """
    if path == bundled.NAME or gguf.is_gguf(path):
        return None
    read = partial(_quantisation, path, revision)
    settings: dict[str, Any] | None = remembered_of_model(
        "architecture", path, revision, None, read
    )
    return settings


def held_in(path: str, revision: str | None, asked: Quantization | None) -> Quantization | None:
    """Return in how many bits weights are held: as they were saved, else as is asked; None where
    that is their dtype.

    Raises UsageError where they were saved quantised in another way, or 4 bits do not work here.
    """
    saved = quantisation(path, revision)
    four_bit = saved is not None and is_four_bit(saved)
    if asked is not None and saved is not None and not four_bit:
        raise UsageError(
            f"model.quantization is {asked}, and the weights at '{path}' are quantised already, "
            f"with {saved.get('quant_method', 'a method that is not named')}. Leave "
            "model.quantization out, or start from the weights that they were made from."
        )
    if asked is None and not four_bit:
        return None
    try:
        check_four_bit(device())
    except ValueError as error:
        raise UsageError(str(error)) from error
    return "4bit"


def _quantisation(path: str, revision: str | None) -> dict[str, Any] | None:
    config = pretrained.model_config(model_folder(path), revision)
    settings: dict[str, Any] | None = getattr(config, "quantization_config", None)
    return settings


def _hub_commit(path: str, revision: str | None) -> str:
    """Return the commit that a branch stands at: the cache keeps a folder for each."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(path, "config.json", revision=revision)).parent.name
