"""What variants are called that the recipe does not name: by what they set."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagelift.harness.recipes.sections import is_reporting


def labels_of(variants: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Write what each variant sets: `r=4`, `sft.learning_rate=0.001`, `sft.dataset=mine.jsonl`.

    A file or folder is written by its own name, so that a variant's does not depend on where a
    command is given; by its path where variants would look alike. How a stage is reported names no
    variant.
    """
    by_name = [_labels(settings, _file_name) for settings in variants]
    if len(set(by_name)) == len(by_name):
        return by_name
    return [_labels(settings, str) for settings in variants]


def _labels(settings: Mapping[str, Any], path: Callable[[str], str]) -> tuple[str, ...]:
    settings = {key: value for key, value in settings.items() if not is_reporting(key)}
    short = [_short(key) for key in settings]
    names = [
        name if short.count(name) == 1 else key for key, name in zip(settings, short, strict=True)
    ]
    return tuple(
        f"{name}={_written(value, path)}"
        for name, value in zip(names, settings.values(), strict=True)
    )


def _short(key: str) -> str:
    parts = [part for part in key.split(".") if part not in ("stages", "args", "lora")]
    return ".".join(parts) or key


def _written(value: Any, path: Callable[[str], str]) -> str:
    """Write a value shortly: `q_proj+v_proj`, and stages by their kinds: `sft+grpo`."""
    match value:
        case list():
            return "+".join(_written(member, path) for member in value) or "none"
        case dict():
            return "+".join(map(str, value))
        case bool():
            return str(value).lower()
        case None:
            return "none"
        case str():
            return path(value)
        case _:
            return str(value)


def _file_name(text: str) -> str:
    """Return the last part of a path that is on this machine; a name on the Hub is none."""
    return Path(text).name if Path(text).exists() and Path(text).name else text
