"""Rows whose answers are trained after the very text that the evaluation asks with.

TRL writes a prompt with its answer in the chat template, which mostly begins as what is asked
alone. Where a template opens the answer for the model (`<think>`), it does not: then rows are
written in the template here, and TRL is given a template that writes them as they are.
"""

from typing import TYPE_CHECKING

from stagelift.evals.data.source import one_sentence
from stagelift.evals.data.turns import BESIDE
from stagelift.evals.models.chat import answered, asked, in_template, opens_answers
from stagelift.stages.kind import Kind, Row

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

ANSWERS = ("completion", "chosen", "rejected")
_AS_IT_IS = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def as_asked(kind: Kind, rows: "Dataset", tokenizer: "PreTrainedTokenizerBase") -> "Dataset":
    """Return rows that TRL trains on as they would be asked.

    Raises ValueError, in a sentence, where the template cannot be written so.
    """
    if not are_opened(kind, rows, tokenizer):
        return rows
    beside = [name for name in BESIDE if name in rows.column_names]
    return rows.map(_written, fn_kwargs={"tokenizer": tokenizer}, remove_columns=beside)


def are_opened(kind: Kind, rows: "Dataset", tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Say whether the template opens answers that rows have: of all rows, or as one says itself."""
    conversations = len(rows) > 0 and isinstance(rows[0].get("prompt"), list)
    # a completion of the model's own comes after what it was asked
    if kind.rewarded or not conversations:
        return False
    if opens_answers(tokenizer):
        return True
    return "chat_template_kwargs" in rows.column_names and any(
        not _begins_as_asked(tokenizer, row) for row in rows
    )


def _begins_as_asked(tokenizer: "PreTrainedTokenizerBase", row: Row) -> bool:
    answers = [row[name] for name in ANSWERS if name in row]
    try:
        before = asked(tokenizer, row["prompt"], row)
        return all(
            in_template(tokenizer, [*row["prompt"], *answer], row).startswith(before)
            for answer in answers
        )
    # a template is a program that others wrote
    except Exception as error:
        raise ValueError(
            f"The chat template does not take the row {row!r:.80}: {one_sentence(error)}"
        ) from error


def _written(row: Row, tokenizer: "PreTrainedTokenizerBase") -> Row:
    written: Row = {"chat_template_kwargs": {"chat_template": _AS_IT_IS}}
    for name in ANSWERS:
        if name in row:
            prompt, whole = answered(tokenizer, row["prompt"], row[name], row)
            written["prompt"] = [{"role": "user", "content": prompt}]
            written[name] = [{"role": "assistant", "content": whole[len(prompt) :]}]
    return written
