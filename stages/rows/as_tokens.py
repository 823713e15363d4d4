"""A training row as its tokens are: what the trainer is given, decoded, special tokens visible.

`tests/test_as_tokens.py` compares it with what TRL's trainers make of the same rows.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from stagelift.evals.models.chat import answered, asked, in_template
from stagelift.evals.records import Record
from stagelift.stages.kind import Kind, Row
from stagelift.stages.rows.as_asked import ANSWERS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = list[int]


class Part(Record):
    """A part of a row, such as its prompt or completion; `learnt` where the loss is on it."""

    name: str
    tokens: list[int]
    learnt: bool


def row_as_tokens(
    kind: Kind, row: Row, args: Mapping[str, Any], tokenizer: "PreTrainedTokenizerBase"
) -> list[Part]:
    """Return the parts of a row in a format of TRL's, before it is cut to a length.

    Raises whatever a chat template raises that does not take it.
    """
    if kind.rewarded:
        return [Part(name="prompt", tokens=_prompt(row, tokenizer), learnt=False)]
    answers = [name for name in ANSWERS if name in row]
    if not answers:
        return [_alone(row, args, tokenizer)]
    read = [_answer(row, name, tokenizer) for name in answers]
    # answers of a pair have one prompt: what all begin with
    length = min(start for start, _ in read)
    prompt = read[0][1][:length]
    learnt = args.get("completion_only_loss") is not False
    return [
        Part(name="prompt", tokens=prompt, learnt=not learnt),
        *(
            Part(name=name, tokens=tokens[length:], learnt=True)
            for name, (_, tokens) in zip(answers, read, strict=True)
        ),
    ]


def _prompt(row: Row, tokenizer: "PreTrainedTokenizerBase") -> Tokens:
    if isinstance(row["prompt"], str):
        return _tokens(tokenizer, row["prompt"], special=True)
    return _tokens(tokenizer, asked(tokenizer, row["prompt"], row))


def _alone(row: Row, args: Mapping[str, Any], tokenizer: "PreTrainedTokenizerBase") -> Part:
    """Return a whole conversation, or text as language modelling has it."""
    if "messages" in row:
        tokens = _tokens(tokenizer, in_template(tokenizer, row["messages"], row))
        return Part(name="messages", tokens=tokens, learnt=True)
    name = args.get("dataset_text_field", "text")
    text = _ended(str(row[name]), tokenizer)
    return Part(name=name, tokens=_tokens(tokenizer, text, special=True), learnt=True)


def _answer(row: Row, name: str, tokenizer: "PreTrainedTokenizerBase") -> tuple[int, Tokens]:
    """Return where an answer begins, and all tokens: where tokens go on otherwise than those of
    what is asked alone, as TRL has it.
    """
    if isinstance(row["prompt"], str):
        before = _tokens(tokenizer, row["prompt"], special=True)
        whole = row["prompt"] + _ended(row[name], tokenizer)
        tokens = _tokens(tokenizer, whole, special=True)
    else:
        answer = answered(tokenizer, row["prompt"], row[name], row)
        before, tokens = _tokens(tokenizer, answer.prompt), _tokens(tokenizer, answer.whole)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, tokens, strict=False))
    return sum(1 for _ in alike), tokens


def _ended(text: str, tokenizer: "PreTrainedTokenizerBase") -> str:
    """Let a text end as TRL lets it end."""
    end = str(tokenizer.eos_token)
    return text if text.endswith(end) else text + end


def _tokens(tokenizer: "PreTrainedTokenizerBase", text: str, *, special: bool = False) -> Tokens:
    return list(tokenizer(text, add_special_tokens=special)["input_ids"])


def shown(tokens: Sequence[int], tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return tokens as text, special tokens visible."""
    return str(tokenizer.decode(list(tokens), skip_special_tokens=False))
