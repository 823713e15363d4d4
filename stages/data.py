"""Training rows for each stage, in the formats TRL's trainers take; train splits only.

Rows that are in one of TRL's formats for the stage, conversational or standard, stay as they are.
Else they must be word problems (`question`, `answer`) and become the stage's format, with the
prompt the evaluation uses.

One format is changed: for SFT a conversation (`messages`) becomes its last assistant turn after all
that came before, because TRL would also train on the user's words; with `assistant_only_loss: true`
it stays whole.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.gsm8k import prompt_text
from stagelift.evals.data.pairs import rejected_answer
from stagelift.evals.data.source import Source, column_names, local_rows, rows
from stagelift.stages.settings import StageKind, StageSettings

if TYPE_CHECKING:
    from datasets import Dataset

_PROBLEM = ("question", "answer")
# What a trainer reads of a row, by stage; GRPO's other columns go to rewards only.
_READ: dict[StageKind, tuple[str, ...]] = {
    "sft": ("messages", "prompt", "completion", "text"),
    "dpo": ("prompt", "chosen", "rejected"),
    "grpo": ("prompt",),
}
# TRL's dataset formats, by stage: each row must have all the columns of one of these.
_FORMATS: dict[StageKind, tuple[tuple[str, ...], ...]] = {
    "sft": (("messages",), ("prompt", "completion"), ("text",)),
    "dpo": (("chosen", "rejected"),),
    "grpo": (("prompt",),),
}


def training_rows(settings: StageSettings) -> "Dataset":
    """Load the rows of a stage's dataset in a format its trainer takes."""
    dataset = rows(settings.dataset)
    names = dataset.column_names
    if _first_fit(_FORMATS[settings.kind], names) is None:
        return dataset.map(_FROM_PROBLEM[settings.kind], remove_columns=names)
    if (
        settings.kind == "sft"
        and "messages" in names
        and not settings.args.get("assistant_only_loss")
    ):
        answered = dataset.filter(_ends_with_assistant)
        return answered.map(_last_turn, remove_columns=names)
    return dataset


def training_texts(settings: StageSettings) -> list[list[str]]:
    """Return, row by row, what a stage's trainer reads: each message or field a text."""
    dataset = training_rows(settings)
    names = [name for name in _READ[settings.kind] if name in dataset.column_names]
    return [
        [text for value in row for text in _texts(value)]
        for row in zip(*(dataset[name] for name in names), strict=True)
    ]


def check_training_source(kind: StageKind, source: Source) -> None:
    """Raise ValueError, in a sentence, where the source is missing, is not for training or lacks
    the columns.
    """
    if {"test", "held_out"} & {
        re.sub(r"\[.*", "", part).strip() for part in source.split.split("+")
    }:
        raise ValueError(
            f"Stage '{kind}' would train on split '{source.split}' of '{source.path}', which is "
            "for testing. Use a training split."
        )
    present = column_names(source)
    formats = (*_FORMATS[kind], _PROBLEM)
    fitting = _first_fit(formats, present)
    if fitting is None:
        raise ValueError(
            f"Stage '{kind}' cannot use dataset '{source.path}' with columns {_words(present)}. It "
            f"needs {' or '.join(_words(needed) for needed in formats)}; `columns` in the recipe "
            "can rename."
        )
    _check_rows(source, fitting)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a field: itself, or what the messages of a conversation say."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (str(message["content"]) for message in value if message.get("content"))


def _check_rows(source: Source, columns: Sequence[str]) -> None:
    """Look at every row of a local file: a trainer would stop at an empty or numeric field after
    minutes, saying less.
    """
    dataset = local_rows(source)
    if dataset is None:
        return
    for column in columns:
        for number, value in enumerate(dataset[column], start=1):
            if not isinstance(value, str | list) or not value:
                place = f"Row {number} of dataset '{source.path}'"
                raise ValueError(f"{place} has {value!r} in column '{column}', which must be text.")


def _first_fit(formats: Sequence[Sequence[str]], present: Sequence[str]) -> Sequence[str] | None:
    return next((needed for needed in formats if set(needed) <= set(present)), None)


def _words(names: Sequence[str]) -> str:
    return "+".join(names)


def _ends_with_assistant(row: dict[str, Any]) -> bool:
    return len(row["messages"]) > 1 and row["messages"][-1]["role"] == "assistant"


def _last_turn(row: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}


def _sft_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": _user(str(row["question"])), "completion": _assistant(str(row["answer"]))}


def _dpo_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "prompt": _user(row["question"]),
        "chosen": _assistant(row["answer"]),
        "rejected": _assistant(rejected_answer(row["question"], row["answer"])),
    }


def _grpo_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": _user(row["question"]), "answer": row["answer"]}


_FROM_PROBLEM: dict[StageKind, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "sft": _sft_row,
    "dpo": _dpo_row,
    "grpo": _grpo_row,
}


def _user(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt_text(question)}]


def _assistant(answer: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer}]
