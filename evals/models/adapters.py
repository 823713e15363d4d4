"""Adapters that peft wrote: where one lies, and what its settings say of it.

Settings are read as they stand in the file, so that neither peft nor weights are loaded.
"""

from pathlib import Path
from typing import Any

from stagelift.evals.hashes import MISSING, UNREADABLE, Damage
from stagelift.evals.strict_json import read_json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_LARGEST_CONFIG = 10_000_000


def is_adapter(folder: Path) -> bool:
    """Say whether a folder holds an adapter that peft can load."""
    return (folder / CONFIG).is_file()


def adapter_folder(adapter: str, revision: str | None) -> Path:
    """Return an adapter's folder: the one that is named, or that of a Hub name in the cache.

    Raises ValueError in a sentence where a Hub name has no adapter.
    """
    if Path(adapter).is_dir():
        return Path(adapter)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(adapter, revision=revision))
    except Exception as error:
        # the Hub's errors are of many kinds
        raise ValueError(
            f"There is no adapter at '{adapter}': it is no folder here, and the Hub has none that "
            f"can be had ({type(error).__name__})."
        ) from error


def problem_of(folder: Path) -> Damage | None:
    """Say of an adapter without hashes what can be seen of it: whether its settings can be read,
    and its weights were written to their end.
    """
    weights = folder / WEIGHTS
    if not is_adapter(folder) or not weights.is_file():
        return Damage(weights if is_adapter(folder) else folder / CONFIG, MISSING)
    from safetensors import SafetensorError, safe_open

    try:
        settings_of(folder)
    except ValueError:
        return Damage(folder / CONFIG, UNREADABLE)
    try:
        with safe_open(weights, framework="numpy") as held:
            held.keys()
    except SafetensorError:
        return Damage(weights, UNREADABLE)
    return None


def settings_of(folder: Path) -> dict[str, Any]:
    """Read an adapter's settings. Raises ValueError in a sentence."""
    file = folder / CONFIG
    try:
        return read_json(file, nan=True, largest=_LARGEST_CONFIG)
    except OSError as error:
        raise ValueError(f"'{file}' cannot be read: {error}.") from error


def trained_on(folder: Path) -> str | None:
    """Name the model that an adapter says it was trained on; None where it does not say."""
    named = settings_of(folder).get("base_model_name_or_path")
    return named if isinstance(named, str) and named else None
