"""A folder of checkpoints as trainers leave it (TRL and transformers, Axolotl, Unsloth):
`checkpoint-100`, `checkpoint-200`, each an adapter or whole weights.

Their order is that of the steps. What cannot be loaded is left out by name: a training may have
been killed while it saved. Nothing of it is run, and no weights are loaded.
"""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagelift.evals.models.adapters import CONFIG as ADAPTER_CONFIG
from stagelift.evals.models.adapters import is_adapter
from stagelift.evals.models.pickled import code_in

_NAME = re.compile(r"checkpoint-(\d{1,12})")
_STATE = "trainer_state.json"
# bytes of a JSON file that a trainer writes beside weights, generously
_LARGEST_JSON = 100_000_000
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# what is left where each process saved its part of the weights
_PARTS = ("global_step*", "pytorch_model_fsdp*", "*_distcp", "*.distcp")


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint that can be loaded: after how many steps it was saved, and where it lies."""

    step: int
    path: Path

    @property
    def is_adapter(self) -> bool:
        return is_adapter(self.path)


@dataclass(frozen=True)
class SavedCheckpoints:
    """The checkpoints in a folder by step, and by name why others are left out."""

    whole: tuple[SavedCheckpoint, ...]
    left_out: dict[str, str]


def saved_checkpoints(folder: Path) -> SavedCheckpoints:
    """Find the checkpoints in a folder.

    Raises ValueError, in a sentence, where there are not two to choose from, or they are not of one
    training.
    """
    if not folder.is_dir():
        raise ValueError(
            f"'{folder}' is no folder. --checkpoints takes the folder that a trainer wrote "
            "checkpoint-100, checkpoint-200 and so on into (its output_dir)."
        )
    found = _by_step(folder)
    problems = {path: _problem(path, step) for step, path in found.items()}
    whole = tuple(
        SavedCheckpoint(step, path) for step, path in found.items() if problems[path] is None
    )
    left_out = {path.name: problem for path, problem in problems.items() if problem is not None}
    _refuse_too_few(folder, whole, left_out)
    if len({checkpoint.is_adapter for checkpoint in whole}) > 1:
        named = {checkpoint.is_adapter: checkpoint.path.name for checkpoint in whole}
        raise ValueError(
            f"{named[True]} in '{folder}' is an adapter and {named[False]} has whole weights, so "
            "they are not of one training. Move those of one of them to a folder of their own."
        )
    return SavedCheckpoints(whole, left_out)


def base_of_adapters(checkpoints: SavedCheckpoints) -> str | None:
    """Return the model that the adapters say they were trained on; None where they do not say, or
    have whole weights.

    Raises ValueError where they say different ones.
    """
    said = {
        checkpoint.path.name: _base(checkpoint.path)
        for checkpoint in checkpoints.whole
        if checkpoint.is_adapter
    }
    (first, base), *others = said.items() or [("", None)]
    for name, other in others:
        if other != base:
            raise ValueError(
                f"{first} was trained on '{base}' and {name} on '{other}' (say their "
                f"{ADAPTER_CONFIG}), so they are not checkpoints of one training."
            )
    return base


def _by_step(folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        name = _NAME.fullmatch(path.name)
        if name is None or not path.is_dir():
            continue
        step = int(name[1])
        if step in found:
            raise ValueError(
                f"'{folder}' has two checkpoints of step {step}: {found[step].name} and "
                f"{path.name}. Move one of them away."
            )
        found[step] = path
    return dict(sorted(found.items()))


def _refuse_too_few(
    folder: Path, whole: tuple[SavedCheckpoint, ...], left_out: dict[str, str]
) -> None:
    if len(whole) > 1:
        return
    damaged = "".join(f" {name} cannot be used: {reason}." for name, reason in left_out.items())
    if whole:
        raise ValueError(
            f"'{folder}' has one checkpoint, {whole[0].path.name}, so there is nothing to choose "
            f"from.{damaged} Measure it alone by naming it to `stagelift evaluate`."
        )
    if left_out:
        raise ValueError(f"'{folder}' has no checkpoint that can be used.{damaged}")
    seen = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
    raise ValueError(
        f"'{folder}' has no checkpoints: expected folders such as checkpoint-100 in it, found "
        f"{seen}. Give the output_dir of a trainer that saved by steps (save_strategy: steps)."
    )


def _problem(path: Path, step: int) -> str | None:
    """Say why a checkpoint cannot be used; None where it can."""
    try:
        said = _said_step(path)
        if said is not None and said != step:
            return f"its {_STATE} says step {said}"
        for file in _weight_files(path):
            _check_weights(file)
    except ValueError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None


def _said_step(path: Path) -> int | None:
    """Return the step that the trainer wrote down; None where its state was not kept."""
    if not (path / _STATE).is_file():
        return None
    step = _json(path / _STATE).get("global_step")
    if isinstance(step, bool) or not isinstance(step, int):
        raise ValueError(f"its {_STATE} names no global_step")
    return step


def _weight_files(path: Path) -> list[Path]:
    """Return the files that hold the weights. Raises ValueError where they are not all there."""
    if is_adapter(path):
        _base(path)
        return [_first_file(path, _ADAPTER_WEIGHTS)]
    if not (path / "config.json").is_file():
        raise ValueError(f"it has neither {ADAPTER_CONFIG} nor config.json")
    _json(path / "config.json")
    index = next((path / name for name in _INDEXES if (path / name).is_file()), None)
    if index is None:
        return [_first_file(path, _WEIGHTS)]
    shards = _json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise ValueError(f"its {index.name} names no files")
    names = sorted(set(shards.values()))
    missing = next((name for name in names if not _is_file_in(path, name)), None)
    if missing is not None:
        raise ValueError(f"{missing} is missing, which its {index.name} names")
    return [path / name for name in names]


def _is_file_in(path: Path, name: str) -> bool:
    return Path(name).name == name and (path / name).is_file()


def _first_file(path: Path, names: tuple[str, ...]) -> Path:
    file = next((path / name for name in names if (path / name).is_file()), None)
    if file is not None:
        return file
    if any(next(path.glob(pattern), None) for pattern in _PARTS):
        raise ValueError(
            "its weights are in parts, one of each process: merge them first (accelerate "
            "merge-weights for FSDP, zero_to_fp32.py for DeepSpeed)"
        )
    raise ValueError(f"it has no {names[0]}")


def _check_weights(file: Path) -> None:
    """Raise ValueError where a file of weights was not written to its end."""
    if file.suffix == ".bin":
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{file.name} is damaged, or was not written to its end")
        if (called := code_in(file)) is not None:
            raise ValueError(f"{file.name} holds more than weights: it would call {called}")
        return
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as weights:
            names = list(weights.keys())
    except SafetensorError as error:
        raise ValueError(f"{file.name} is damaged, or was not written to its end") from error
    if not names:
        raise ValueError(f"{file.name} holds no weights")


def _base(path: Path) -> str | None:
    base = _json(path / ADAPTER_CONFIG).get("base_model_name_or_path")
    return base if isinstance(base, str) and base else None


def _json(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _LARGEST_JSON:
        raise ValueError(f"its {file.name} is larger than any that a trainer writes")
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {file.name} is damaged, or was not written to its end") from error
    if not isinstance(content, dict):
        raise ValueError(f"its {file.name} is no JSON object")
    return content
