"""lm-eval's gsm8k.yaml, read without lm-eval.

It says how a problem is put to a model, in evaluation and training alike.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml


def prompt_text(question: str) -> str:
    """Return the user's turn exactly as lm-eval's gsm8k writes it; training prompts use it too."""
    return str(shipped_config()["doc_to_text"]).replace("{{question}}", question)


@cache
def shipped_config() -> dict[str, Any]:
    """Read lm-eval's gsm8k.yaml without importing lm-eval (its imports take seconds)."""
    spec = find_spec("lm_eval")
    assert spec is not None and spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0], "tasks", "gsm8k", "gsm8k.yaml")
    config: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return config
