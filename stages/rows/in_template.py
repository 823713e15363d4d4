"""Whether every row can be written in a model's chat template, and is in none already."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.source import one_sentence
from stagelift.evals.models.chat import answered, asked, in_template
from stagelift.stages.kind import Row
from stagelift.stages.rows.as_asked import ANSWERS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# how turns begin in the templates of others
_BEGINS = (
    *("<|im_start|>", "<|start_header_id|>", "<|begin_of_text|>", "<start_of_turn>", "<bos>"),
    *("[INST]", "<s>[INST]", "<<SYS>>", "<|user|>", "<|system|>", "<｜begin▁of▁sentence｜>"),
)

_TWICE = (
    ", so it is in a chat template already and would be put into one twice. Take that off, or set "
    "chat: false in the dataset, which trains its texts as they are"
)


def check_in_template(
    rows: Iterable[Row], tokenizer: "PreTrainedTokenizerBase", *, were_texts: bool
) -> None:
    """Raise ValueError, with a clause about a row, where the template does not take one, or would
    show a model another text than it is asked with.

    Texts that became turns (`were_texts`) must not be in a template already.
    """
    marks = tuple(dict.fromkeys([*_BEGINS, *_special(tokenizer)]))
    for row in rows:
        if not isinstance(row.get("prompt", row.get("messages")), list):
            # texts stay as they are, and rows are of one kind
            return
        try:
            if were_texts:
                _refuse_templates(row, marks, str(tokenizer.eos_token))
            _write(row, tokenizer)
        # templates raise what they like, for what they do not take
        except Exception as error:
            raise ValueError(
                f"the row that begins with {_begins(row)!r:.60}: {_clause(error)}"
            ) from error


def _refuse_templates(row: Row, marks: tuple[str, ...], end: str) -> None:
    for text in _texts(row):
        begins = [mark for mark in marks if text.lstrip().startswith(mark)]
        if begins:
            raise ValueError(f"it begins with {max(begins, key=len)}{_TWICE}")
        if text.rstrip().endswith(end):
            raise ValueError(f"it ends with {end}{_TWICE}")


def _write(row: Row, tokenizer: "PreTrainedTokenizerBase") -> None:
    answers = [row[name] for name in ANSWERS if name in row]
    if "messages" in row and not answers:
        in_template(tokenizer, row["messages"], row)
    elif not answers:
        asked(tokenizer, row["prompt"], row)
    for answer in answers:
        answered(tokenizer, row["prompt"], answer, row)


def _special(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    return [str(token) for token in tokenizer.all_special_tokens if str(token).strip()]


def _texts(row: Row) -> Iterator[str]:
    for name in ("prompt", *ANSWERS):
        yield from (str(turn["content"]) for turn in row.get(name) or [])


def _begins(row: Row) -> Any:
    turns = row.get("prompt") or row.get("messages") or [{}]
    return turns[0].get("content")


def _clause(error: Exception) -> str:
    return one_sentence(error).removesuffix(".")
