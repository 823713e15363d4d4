"""Conversations in a model's chat template: what is asked, and an answer after it.

An answer stands after all that a model is asked with, so that it is read and trained as it would be
given. Templates that open a thought for the model (`<think>` at the end of what is asked) leave it
out around an answer that is given: there the answer is put after it. One that has no thought
ends the thought before it begins, as Qwen3's template does.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.turns import BESIDE
from stagelift.evals.models.engines.engine import Answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = Sequence[Mapping[str, Any]]
# of a model without a template: texts as they are, the answer's end marked, as TRL trains texts
PLAIN = (
    "{% for message in messages %}{% if message['role'] == 'user' and not loop.first %}\n\n"
    "{% endif %}{{ message['content'] }}{% if message['role'] == 'assistant' %}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
# what a row's settings of a template must not be: those of the tokenizer that writes in it
_OF_THE_TOKENIZER = {
    *("conversation", "tools", "chat_template", "add_generation_prompt", "tokenize"),
    *("continue_final_message", "padding", "truncation", "max_length", "return_tensors"),
    *("return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"),
}
_OPENED = re.compile(r"<(\w{1,30})>")
_CLOSED = re.compile(r"<(\w{1,30})>\s*</\1>")
_ASK = [{"role": "user", "content": "What is 2 + 3?"}]
_SAY = [{"role": "assistant", "content": "It is 5."}]
_MARK = "What is answered stands here."


def asked(
    tokenizer: "PreTrainedTokenizerBase", prompt: Turns, beside: Mapping[str, Any] | None = None
) -> str:
    """Return the text that a model is asked with, up to where its answer begins.

    `beside` has the `tools` and `chat_template_kwargs` of a row. Templates raise what they like
    where they do not take the turns.
    """
    return in_template(tokenizer, prompt, beside, add_generation_prompt=True)


def answered(
    tokenizer: "PreTrainedTokenizerBase",
    prompt: Turns,
    answer: Turns,
    beside: Mapping[str, Any] | None = None,
) -> Answer:
    """Return what is asked, and that with the answer: one turn, or several where tools are called.

    Raises ValueError where an answer cannot stand after what is asked.
    """
    before, apart = (
        asked(tokenizer, prompt, beside),
        answered_apart(tokenizer, prompt, answer, beside),
    )
    if apart.prompt == before:
        return apart
    turn = answer[0]
    said = _said(turn, before.removeprefix(apart.prompt))
    marked = {"role": turn["role"], "content": _MARK}
    later = in_template(tokenizer, [*prompt, marked, *answer[1:]], beside)
    return Answer(before, before + said + later[later.index(_MARK) + len(_MARK) :])


def answered_apart(
    tokenizer: "PreTrainedTokenizerBase",
    prompt: Turns,
    answer: Turns,
    beside: Mapping[str, Any] | None = None,
) -> Answer:
    """Return an answer as the template writes it, after what that and the question begin with."""
    before = asked(tokenizer, prompt, beside)
    whole = in_template(tokenizer, [*prompt, *answer], beside)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, whole, strict=False))
    return Answer(before[: sum(1 for _ in alike)], whole)


def plain_template(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return the template of plain texts, which begin as the tokenizer lets a text begin."""
    begins = tokenizer("")["input_ids"]
    has_first = tokenizer.bos_token_id is not None and begins[:1] == [tokenizer.bos_token_id]
    return "{{ bos_token }}" + PLAIN if has_first else PLAIN


def opens_answers(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Say whether the template begins an answer for the model, and not one that is given."""
    return answered_apart(tokenizer, _ASK, _SAY).prompt != asked(tokenizer, _ASK)


def goes_on_with_answers(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Say whether it begins one, and answers that are given can stand after that."""
    try:
        answered(tokenizer, _ASK, _SAY)
    except ValueError:
        return False
    return opens_answers(tokenizer)


def _said(turn: Mapping[str, Any], opened: str) -> str:
    """Return an answer's text as it goes on after what the template opened."""
    text, begun = str(turn.get("content") or ""), opened.strip()
    if not begun or _CLOSED.fullmatch(begun):
        return text
    tag = _OPENED.fullmatch(begun)
    if tag is None or turn.get("tool_calls"):
        raise ValueError(
            f"the chat template ends what it asks with {opened!r:.60}, and leaves that out before "
            "an answer that is given, so that training would show another text than the "
            "evaluation. Set chat_template in the recipe to one that writes both alike"
        )
    end = f"</{tag[1]}>"
    if end in text:
        return text.lstrip().removeprefix(begun).lstrip("\n")
    thought = str(turn.get("reasoning_content") or "").strip("\n")
    return f"{thought}\n{end}\n\n{text}"


def in_template(
    tokenizer: "PreTrainedTokenizerBase",
    turns: Turns,
    beside: Mapping[str, Any] | None,
    **how: Any,
) -> str:
    """Return turns in the chat template, as text."""
    return str(
        tokenizer.apply_chat_template(
            [dict(turn) for turn in turns], tokenize=False, **_shown(beside or {}), **how
        )
    )


def _shown(beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template is shown; it may be written as JSON, as TRL has tools."""
    tools, settings = (_unwritten(name, beside.get(name)) for name in BESIDE)
    if not isinstance(settings or {}, Mapping):
        raise ValueError(f"chat_template_kwargs must be settings by name, not {settings!r:.40}")
    taken = [name for name in settings or {} if name in _OF_THE_TOKENIZER]
    if taken:
        raise ValueError(
            f"chat_template_kwargs of a row cannot set {taken[0]!r}, which is the tokenizer's own: "
            "take it out of the row"
        )
    # no tools at all is no empty list of them: some templates introduce that
    return {"tools": tools or None, **(settings or {})}


def _unwritten(name: str, value: Any) -> Any:
    """Return what a cell holds, which may be JSON; an empty one holds nothing."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be JSON where it is text, not {value!r:.40}") from error
