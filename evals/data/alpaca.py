"""Alpaca's rows: an instruction, and the input that it is about.

A row's prompt is both, the input after a blank line, as in the prompt that Alpaca was trained on
(github.com/tatsu-lab/stanford_alpaca).
"""

from collections.abc import Iterable
from typing import Any

from stagelift.evals.data.source import Source

INPUT = "input"


def has_inputs(source: Source, columns: Iterable[str]) -> bool:
    """Say whether prompts are Alpaca's instructions, with inputs in a column beside them."""
    return source.columns.get("prompt") == "instruction" and INPUT in columns


def with_input(instruction: Any, given: Any) -> Any:
    """Append an input that is a text; an instruction that is none stays as it is."""
    if isinstance(instruction, str) and isinstance(given, str) and given.strip():
        return f"{instruction}\n\n{given}"
    return instruction
