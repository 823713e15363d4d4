"""Alpaca's rows: an instruction, and the input that it is about.

A row's prompt is both, the input after a blank line, as in the prompt that Alpaca was trained on
(github.com/tatsu-lab/stanford_alpaca). Others call it the context of a question, or its passage.
"""

from collections.abc import Collection, Mapping
from typing import Any

from stagelift.evals.data.answers import answer_text, number_text
from stagelift.evals.data.source import Source

INPUT = "input"
INPUTS = (INPUT, "context", "passage")


def input_column(source: Source, columns: Collection[str]) -> str | None:
    """Name the column beside prompts that `columns` says are instructions or questions; None where
    there is none, or prompts are of another kind.
    """
    if source.columns.get("prompt") not in ("instruction", "question"):
        return None
    return next((name for name in INPUTS if name in columns), None)


def inputs_read(source: Source, first: Mapping[str, Any]) -> list[str]:
    """Say which inputs prompts have, for what identifies them; numbers were once left out."""
    column = input_column(source, first)
    if column is None:
        return []
    is_number = number_text(first[column]) is not None
    return ["with inputs", "as numbers"] if is_number else ["with inputs"]


def with_input(instruction: Any, given: Any) -> Any:
    """Append an input, a text or a number; an instruction that is no text stays as it is."""
    text = answer_text(given)
    if isinstance(instruction, str) and text is not None and text.strip():
        return f"{instruction}\n\n{text}"
    return instruction


def with_its_input(source: Source, row: Mapping[str, Any], prompt: Any) -> Any:
    """Append the input that stands in a row of its own to the row's prompt."""
    column = input_column(source, row)
    return prompt if column is None else with_input(prompt, row[column])
