"""Training rows for each stage, in the formats TRL's trainers take; train splits only.

Word problems (`question`, `answer`) become the stage's own format, with the prompt the evaluation uses. Anything else
must already be in one of TRL's formats, conversational or standard.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evals.source import Source, column_names, rows
from evals.task import prompt_text
from stages.pairs import rejected_answer
from stages.settings import StageKind

if TYPE_CHECKING:
    from datasets import Dataset

_PROBLEM = ("question", "answer")
# TRL's dataset formats, by stage: each row must have all the columns of one of these.
_FORMATS: dict[StageKind, tuple[tuple[str, ...], ...]] = {
    "sft": (("messages",), ("prompt", "completion"), ("text",)),
    "dpo": (("chosen", "rejected"),),
    "grpo": (("prompt",),),
}


def training_rows(kind: StageKind, source: Source) -> "Dataset":
    """Load the rows of a training source in a format the stage's trainer takes."""
    dataset = rows(source)
    if not set(_PROBLEM) <= set(dataset.column_names):
        return dataset
    return dataset.map(_FROM_PROBLEM[kind], remove_columns=dataset.column_names)


def check_training_source(kind: StageKind, source: Source) -> None:
    """Raise ValueError, in a sentence, where the source is missing, is not for training or lacks the columns."""
    if source.split in ("test", "held_out"):
        raise ValueError(
            f"Stage '{kind}' would train on split '{source.split}' of '{source.path}', which is for testing. "
            "Use a training split."
        )
    present = column_names(source)
    formats = (_PROBLEM, *_FORMATS[kind])
    if not any(set(needed) <= set(present) for needed in formats):
        raise ValueError(
            f"Stage '{kind}' cannot use dataset '{source.path}' with columns {_words(present)}. "
            f"It needs {' or '.join(_words(needed) for needed in formats)}; `columns` in the recipe can rename."
        )


def _words(names: Sequence[str]) -> str:
    return "+".join(names)


def _sft_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": _user(row["question"]), "completion": _assistant(row["answer"])}


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
