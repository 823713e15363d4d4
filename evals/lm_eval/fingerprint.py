"""What a task of lm-eval's asks, as a few words for the contract: equal words, equal questions."""

import hashlib
import json
from pathlib import Path
from typing import Any

from stagelift.evals.lm_eval.configs import TaskConfig, configs, find_task

_DATA_FILES = (".json", ".jsonl", ".csv", ".parquet")


def task_fingerprint(task: str) -> dict[str, Any]:
    """Identify what will be asked: the task, lm-eval's versions, and a hash of all configs.

    No data is loaded. Functions and local data files count by name and content, so folders do not
    matter. Code that functions import, and which commit a Hub dataset stands at, are not covered.
    Raises ValueError where lm-eval has no such task.
    """
    listed = find_task(task)
    by_name = {config.name: config for config in configs(listed)}
    leaves = [config for config in by_name.values() if not config.is_group]
    for leaf in leaves:
        if leaf.content.get("unsafe_code"):
            raise ValueError(
                f"Task '{leaf.name}' executes code that the model wrote, which is not supported. "
                "Leave it out."
            )
    contents = {name: config.content for name, config in by_name.items()}
    text = json.dumps(_portable(contents), sort_keys=True, default=str)
    return {
        "task": listed.name,
        "versions": {leaf.name: _version(leaf) for leaf in leaves},
        "configs": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _version(config: TaskConfig) -> str | None:
    metadata = config.content.get("metadata")
    if isinstance(metadata, dict) and "version" in metadata:
        return str(metadata["version"])
    return None


def _portable(value: Any) -> Any:
    """Copy a config with every function and data file as its name and a hash of its content."""
    if isinstance(value, dict):
        return {str(key): _portable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_portable(inner) for inner in value]
    if isinstance(value, str) and (Path(value).is_absolute() or value.endswith(_DATA_FILES)):
        return _portable_path(value)
    return value


def _portable_path(text: str) -> Any:
    # lm-eval writes a function as /folder/of/the/yaml/module.function
    path = Path(text)
    try:
        files = [file for file in (path, path.with_suffix(".py")) if file.is_file()]
        name = path.name if path.parent.is_dir() else text
    except (OSError, ValueError):
        # a text that only looks like a path
        return text
    return [name, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files[:1])]
