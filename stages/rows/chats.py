"""Rows whose prompt and answers are texts, as turns of a conversation: the user's and the
assistant's, as the evaluation asks them.

A text that a row has alone (`text`) is language modelling, and stays as it is; so do all texts of a
dataset that says `chat: false`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.source import Source

if TYPE_CHECKING:
    from datasets import Dataset

# who says the text of a column
ROLE_OF = {
    "prompt": "user",
    "completion": "assistant",
    "chosen": "assistant",
    "rejected": "assistant",
}


def texts_in(rows: "Dataset", columns: Sequence[str]) -> list[str]:
    """Name the prompt and the answers that are texts, where all of them are.

    `columns` are those of the format that rows are in.
    """
    if not ROLE_OF.keys() & set(columns):
        return []
    present = [name for name in ROLE_OF if name in {*columns, "prompt"} & {*rows.column_names}]
    if "prompt" not in present or not all(is_text_column(rows, name) for name in present):
        return []
    return present


def as_chats(rows: "Dataset", source: Source, columns: Sequence[str]) -> "Dataset":
    """Return rows with turns in the place of texts."""
    texts = texts_in(rows, columns)
    if not texts or not source.chat:
        return rows
    return rows.map(_as_turns, fn_kwargs={"texts": texts})


def is_text_column(rows: "Dataset", column: str) -> bool:
    """Say whether a column holds texts alone."""
    return getattr(rows.features[column], "dtype", None) in ("string", "large_string")


def _as_turns(row: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    return {name: [{"role": ROLE_OF[name], "content": row[name]}] for name in texts}
