"""A model that generates: which one, and how it is loaded.

A LoRA adapter stays on top of its base and is never merged into it. Only adapters below another
one, whose LoRA settings were different, are merged into the weights, in float32.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stagelift.evals.models import bundled, gguf, pretrained
from stagelift.evals.models.four_bit import Quantization, computing_in
from stagelift.evals.models.merging import merged_alike
from stagelift.evals.records import Record
from stagelift.evals.remembered import model_files, remembered

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Dtype = Literal["float32", "bfloat16", "float16"]
Device = Literal["cpu", "cuda"]


class ModelRef(Record):
    """A base model by path or Hub name, where it runs, and the adapter folder to put on it.

    `merged` are the adapter folders to merge into the weights before, first to last. `tokenizer` is
    the folder of a tokenizer that is not the model's own, and `chat_template` one that stands for
    the tokenizer's. `quantization` says in how many bits the weights are held, whether they were
    saved so or are quantised as they are read. `gguf` names the file in the model's folder that its
    weights are in: they are de-quantised as they are loaded.
    """

    path: str
    revision: str | None = None
    eos_token: str | None = None
    dtype: Dtype
    device: Device
    adapter: str | None = None
    merged: tuple[str, ...] = ()
    tokenizer: str | None = Field(default=None, exclude_if=lambda folder: folder is None)
    chat_template: str | None = Field(default=None, exclude_if=lambda text: text is None)
    quantization: Quantization | None = Field(default=None, exclude_if=lambda bits: bits is None)
    gguf: str | None = Field(default=None, exclude_if=lambda file: file is None)


def model_folder(path: str) -> str:
    """Return what transformers takes: the path, or the cached folder of what is no such folder, as
    the bundled model and GGUF files are none.
    """
    if path == bundled.NAME:
        return str(bundled.bundled_model())
    return str(gguf.dequantised_folder(Path(path))) if gguf.is_gguf(path) else path


def is_prepared(path: str) -> bool:
    """Say whether a model can be loaded as it is; if not, its next use converts it first."""
    if path == bundled.NAME:
        return bundled.is_prepared()
    return not gguf.is_gguf(path) or gguf.is_prepared(Path(path))


def model_title(path: str) -> str:
    """Return the name a report shows."""
    if path == bundled.NAME:
        return bundled.TITLE
    if gguf.is_gguf(path):
        return f"{Path(path).name} (de-quantised)"
    return Path(path).name if Path(path).exists() else path


def is_exactly(ref: ModelRef, name: str) -> bool:
    """Say whether a name that others gave a model is this one's folder or whole Hub name."""
    return bool(
        _whole_names(name) & {*_whole_names(ref.path), *_whole_names(model_folder(ref.path))}
    )


def _whole_names(path: str) -> set[str]:
    """Return a path as it is when links are followed, and the Hub name whose cache it is in; a name
    of nothing here is of the Hub.
    """
    parts = PurePath(path.replace("\\", "/")).parts
    cached = {
        part.removeprefix("models--").replace("--", "/").casefold()
        for part in parts
        if part.startswith("models--")
    }
    here = str(Path(path).resolve()) if Path(path).exists() else path.casefold()
    return {here, *cached}


def is_called(ref: ModelRef, name: str | None) -> bool:
    """Say whether a name that others gave a model, such as an adapter's settings, can mean this.

    Folders move and Hub names have owners, so the last part of the name decides.
    """
    if name is None:
        return False
    return bool(_last_parts(name) & {*_last_parts(ref.path), *_last_parts(model_folder(ref.path))})


def _last_parts(path: str) -> set[str]:
    """Return what a path can call a model: its last part, and the Hub name whose cache it is in."""
    parts = PurePath(path.replace("\\", "/")).parts
    cached = [part.rpartition("--")[2] for part in parts if part.startswith("models--")]
    return {part.casefold() for part in [*parts[-1:], *cached]}


def model_fingerprint(path: str, revision: str | None) -> str:
    """Identify the weights: the hash of the bundled file or of a GGUF file, a folder's content, or
    the Hub's commit.
    """
    if path == bundled.NAME:
        return f"bundled:{bundled.GGUF_SHA256}"
    if gguf.is_gguf(path):
        return f"gguf:{gguf.file_hash(Path(path))}"
    if Path(path).is_dir():
        return folder_hash(Path(path))
    return f"hub:{path}@{revision or 'main'}"


def hub_model(fingerprint: str) -> tuple[str, str | None] | None:
    """Read a `model_fingerprint` back as the Hub's name of the model, or of what it derives from,
    and the commit if known.

    None for a local folder, and for what is no fingerprint: such weights have no name on the Hub
    that we know of.
    """
    kind, _, rest = fingerprint.partition(":")
    if kind == "bundled":
        return bundled.HUB_ID, None
    name, _, revision = rest.rpartition("@")
    return (name, None if revision == "main" else revision) if kind == "hub" else None


def folder_hash(folder: Path) -> str:
    """Hash names and contents of the files of a folder (not of its folders)."""
    return _files_hash(file for file in folder.iterdir() if file.is_file())


def adapter_hash(folder: Path) -> str:
    """Hash an adapter folder without what says nothing about the adapter: its README.md and hidden
    files.

    A model card is written anew after every report, and uploading and downloading add files such as
    .gitattributes. Full models keep `folder_hash`: nothing of ours writes into their folders, and
    every stored run on one is named by it.
    """
    files = (file for file in folder.iterdir() if file.is_file())
    return _files_hash(
        file for file in files if file.name != "README.md" and not file.name.startswith(".")
    )


def _files_hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        with file.open("rb") as handle:
            digest.update(
                f"{file.name}:{hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode()
            )
    return f"sha256:{digest.hexdigest()}"


def remembered_of_model(
    what: str, path: str, revision: str | None, asked: object, find_out: Callable[[], Any]
) -> Any:
    """Return what was found out about this model at this commit, its files beside its weights being
    the same.

    See `remembered`. Where the files cannot be seen it is found out. Those of a Hub model may not
    all be in the cache yet, so that they alone do not tell it from another.
    """
    try:
        folder = _files_at(path, revision)
        files = model_files(folder)
    except (OSError, ValueError):
        return find_out()
    # a Hub model's folder is named after the commit
    return remembered(what, [path, folder.name, files, asked], find_out)


def _files_at(path: str, revision: str | None) -> Path:
    """Return a model's folder; a Hub model's is in the cache, one for each commit."""
    if path == bundled.NAME or Path(path).exists():
        return Path(model_folder(path))
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(path, "config.json", revision=revision)).parent


def tokenizer_of(ref: ModelRef) -> "PreTrainedTokenizerBase":
    """Load the tokenizer that a model is asked and trained with."""
    if ref.tokenizer is None:
        return load_tokenizer(ref.path, ref.revision, ref.eos_token, ref.chat_template)
    return load_tokenizer(ref.tokenizer, None, ref.eos_token, ref.chat_template)


def load_tokenizer(
    path: str, revision: str | None, eos_token: str | None, chat_template: str | None = None
) -> "PreTrainedTokenizerBase":
    """Load a tokenizer that pads on the left.

    Where they are given, `eos_token` ends a turn and `chat_template` stands for its own.
    """
    tokenizer = pretrained.tokenizer(model_folder(path), revision, padding_side="left")
    if eos_token is not None:
        tokenizer.eos_token = eos_token
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(ref: ModelRef) -> "PreTrainedModel":
    """Load the weights below the adapter on their device.

    Generation ends at their end tokens or the tokenizer's.
    """
    import torch

    model = _merged(ref) if ref.merged else _weights(ref, getattr(torch, ref.dtype))
    tokenizer = tokenizer_of(ref)
    model.generation_config.eos_token_id = sorted(_end_tokens(model) | {tokenizer.eos_token_id})
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    # what is quantised is where it belongs
    return model if _is_quantised(model) else model.to(ref.device)


def _is_quantised(model: "PreTrainedModel") -> bool:
    return getattr(model, "quantization_method", None) is not None


def _merged(ref: ModelRef) -> "PreTrainedModel":
    """Merge in float32 and round once at the end, where the model runs in 16 bits."""
    import torch

    return merged_in_float32(ref).to(getattr(torch, ref.dtype))


def merged_in_float32(ref: ModelRef) -> "PreTrainedModel":
    """Load the weights in float32 on the CPU with the adapters of `merged` in them.

    Raises ValueError in a sentence where one of them makes another model when it is merged.
    """
    import torch

    model = _weights(ref, torch.float32)
    for adapter in ref.merged:
        model = merged_alike(model, adapter)
    return model


def _weights(ref: ModelRef, dtype: "torch.dtype") -> "PreTrainedModel":
    if ref.gguf is not None:
        return pretrained.language_model_of_gguf(Path(ref.path, ref.gguf), dtype)
    source = model_folder(ref.path)
    if ref.quantization is None:
        return pretrained.language_model(source, ref.revision, dtype)
    model = pretrained.four_bit_model(source, ref.revision, dtype, ref.device)
    computing_in(model, dtype)
    return model


def end_tokens(ref: ModelRef, tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Return the tokens that end a turn, as `load_base` has them, without loading the weights."""
    known = pretrained.generation_config(model_folder(ref.path), ref.revision).eos_token_id
    own = known if isinstance(known, list) else [known]
    return frozenset(token for token in (*own, tokenizer.eos_token_id) if token is not None)


def context_length(ref: ModelRef) -> int:
    """Return how many tokens a model takes, without loading the weights."""
    return context_of(pretrained.model_config(model_folder(ref.path), ref.revision))


def context_of(config: "PreTrainedConfig") -> int:
    """Return how many tokens a model takes; some have no such limit."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", sys.maxsize))


def _end_tokens(model: "PreTrainedModel") -> set[int]:
    """Read the end tokens a model comes with: a base model's end of text still ends what it
    says.
    """
    known = model.generation_config.eos_token_id
    return set(known) if isinstance(known, list) else {known} - {None}


def load_model(ref: ModelRef) -> "PreTrainedModel":
    """Load base and adapter for generation.

    Unmerged: merging in 16 bits rounds as much as a DPO step changes.
    """
    model = load_base(ref)
    if ref.adapter is not None:
        model = pretrained.with_adapter(model, ref.adapter)
    return model.eval()
