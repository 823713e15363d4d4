"""A row as its layout says, in a format that TRL's trainers take."""

from typing import Any

from stagelift.evals.data.alpaca import with_input
from stagelift.evals.data.answers import answer_text
from stagelift.stages.kind import Row
from stagelift.stages.rows.chats import ROLE_OF
from stagelift.stages.rows.conversations import (
    Conversation,
    is_ours,
    is_whole,
    talk,
    transcript,
)
from stagelift.stages.rows.labels import as_label
from stagelift.stages.rows.layouts import TALK, Layout

_NO_PROMPT = (
    "has two answers and no prompt: `columns` can rename a column to `prompt`, or both are whole "
    "conversations that begin with it"
)


def read(layout: Layout, row: Row) -> Row:
    """Return what a row holds in the format that its layout wants.

    Raises ValueError, with a clause about the row, where it does not hold that.
    """
    held = {name: row.get(column) for name, column in layout.holds.items()}
    made = _turns(layout, row, held) if layout.turns else _texts(layout, row, held)
    if layout.name is None:
        _refuse_mixed(layout, held)
    if "label" in held:
        made["label"] = as_label(held["label"])
    return made


def _refuse_mixed(layout: Layout, held: Row) -> None:
    """A row that is not as the first one would not be converted, as that one was not."""
    for name, value in held.items():
        fits = is_ours(value) if layout.turns else isinstance(value, str)
        if name in TALK and value is not None and not fits:
            must = "turns of role and content" if layout.turns else "text"
            raise ValueError(
                f"has {value!r:.60} in column '{name}', which must be {must}, as in the first row"
            )


def _texts(layout: Layout, row: Row, held: Row) -> Row:
    """Return texts as they are, the prompt with all that belongs to it."""
    texts = {
        name: _text(value, layout.holds[name]) for name, value in held.items() if name != "label"
    }
    if "prompt" in texts:
        earlier = [text for pair in _pairs(layout, row) for text in pair]
        prompt = with_input(texts["prompt"], _beside(layout, row, "input"))
        parts = [_given(layout, row, "system"), *earlier, prompt]
        texts["prompt"] = "\n\n".join(part for part in parts if part)
    return texts


def _turns(layout: Layout, row: Row, held: Row) -> Row:
    talk = {name: _talk(layout, name, held[name]) for name in TALK if name in held}
    if "chosen" in talk:
        talk = _pair(talk)
    elif "messages" in talk and "messages" not in layout.wanted:
        talk = _split(layout, talk)
    begins = "prompt" if "prompt" in talk else "messages"
    if "prompt" in held and not is_whole(held.get("chosen")):
        talk["prompt"] = _whole_prompt(layout, row, talk["prompt"])
    system = _given(layout, row, "system")
    if system and talk[begins][0]["role"] != "system":
        talk[begins] = [{"role": "system", "content": system}, *talk[begins]]
    return talk


def _talk(layout: Layout, name: str, value: Any) -> Conversation:
    """Return turns; a text alone is one of the role that stands at its place."""
    column = layout.holds[name]
    if layout.transcripts and isinstance(value, str):
        turns = transcript(value)
        if turns is not None:
            return _asked(turns) if name == "prompt" and not turns[-1]["content"] else turns
    if value is not None and not isinstance(value, int | float):
        try:
            turns = talk(name, value)
        except ValueError as error:
            raise ValueError(f"{error} (column '{column}')") from error
        if turns is not None:
            return turns
    if name == "messages":
        raise ValueError(f"has {value!r:.60} in column '{column}', which must be turns")
    text = _text(value, column)
    return [{"role": ROLE_OF[name], "content": text.strip() if layout.transcripts else text}]


def _pair(talk: dict[str, Conversation]) -> dict[str, Conversation]:
    """Return prompt and answers of a pair, whose answers may be whole conversations."""
    chosen, rejected = talk["chosen"], talk["rejected"]
    prompt = talk.get("prompt", talk.get("messages"))
    if is_whole(chosen) != is_whole(rejected):
        raise ValueError(
            "has a whole conversation in one of chosen and rejected, and an answer in the other"
        )
    if not is_whole(chosen):
        if not prompt:
            raise ValueError(_NO_PROMPT)
        return {"prompt": _asked(prompt), "chosen": chosen, "rejected": rejected}
    shared = _shared(chosen, rejected)
    if not shared:
        raise ValueError(
            f"has chosen beginning with {chosen[0]['content']!r:.40} and rejected with "
            f"{rejected[0]['content']!r:.40}, so that they answer different prompts"
        )
    begins = chosen[:shared]
    asked = _from_the_first(talk["prompt"], begins) if "prompt" in talk else begins
    return {"prompt": asked, "chosen": chosen[shared:], "rejected": rejected[shared:]}


def _shared(chosen: Conversation, rejected: Conversation) -> int:
    """Count the turns that both begin with, of which the last turn of either is none."""
    most = min(len(chosen), len(rejected)) - 1
    return next((at for at in range(most) if chosen[at] != rejected[at]), most)


def _from_the_first(prompt: Conversation, beginning: Conversation) -> Conversation:
    """Return all that was said before two answers, where the prompt beside begins earlier."""
    _check_agrees(prompt, beginning)
    asked, begun = [
        [(turn["role"], _flat(turn["content"])) for turn in turns] for turns in (prompt, beginning)
    ]
    earlier = (at for at in range(len(asked)) if asked[at:] == begun[: len(asked) - at])
    at = next(earlier, None)
    if at is not None:
        return [*prompt[:at], *beginning]
    if not any(begun[at : at + len(asked)] == asked for at in range(len(begun))):
        raise ValueError(
            f"has a prompt that begins with {prompt[0]['content']!r:.40}, but chosen and rejected "
            f"with {beginning[0]['content']!r:.40}, and neither holds the other: mend one of the "
            "two, or leave the prompt out with columns: {unused: prompt}"
        )
    return beginning


def _check_agrees(prompt: Conversation, beginning: Conversation) -> None:
    said = {_flat(turn["content"]) for turn in beginning if turn["role"] == "user"}
    asked = prompt[-1]["content"]
    if _flat(asked) not in said:
        raise ValueError(
            f"has the prompt {asked!r:.40}, but chosen and rejected answer "
            f"{beginning[-1]['content']!r:.40}: mend one of the two, or leave the prompt out with "
            "columns: {unused: prompt}"
        )


def _flat(text: str) -> str:
    return " ".join(text.split())


def _split(layout: Layout, talk: dict[str, Conversation]) -> dict[str, Conversation]:
    """Take the prompt out of a conversation, and the completion where one is wanted."""
    turns = talk.pop("messages")
    if "completion" not in layout.wanted or "completion" in talk:
        return {**talk, "prompt": _asked(turns)}
    if len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise ValueError("has a conversation that does not end with an answer of the assistant")
    return {**talk, "prompt": turns[:-1], "completion": turns[-1:]}


def _asked(turns: Conversation) -> Conversation:
    """Leave out the answer that a conversation ends with."""
    if len(turns) > 1 and turns[-1]["role"] == "assistant":
        return turns[:-1]
    return turns


def _whole_prompt(layout: Layout, row: Row, prompt: Conversation) -> Conversation:
    """Put earlier turns before a prompt, and its input behind it."""
    earlier = [
        turn
        for question, answer in _pairs(layout, row)
        for turn in (
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        )
    ]
    last = prompt[-1]
    whole = with_input(last["content"], _beside(layout, row, "input"))
    return [*earlier, *prompt[:-1], {**last, "content": whole}]


def _pairs(layout: Layout, row: Row) -> list[tuple[str, str]]:
    """Return earlier questions with their answers, as LLaMA-Factory's `history` has them."""
    column, history = layout.beside.get("history"), _beside(layout, row, "history")
    if not history:
        return []
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in history
    ):
        raise ValueError(f"has {history!r:.60} in column '{column}', which must be pairs of texts")
    return [(question, answer) for question, answer in history]


def _given(layout: Layout, row: Row, name: str) -> str:
    """Return what stands beside a prompt; nothing where it is empty."""
    text = answer_text(_beside(layout, row, name)) or ""
    return text if text.strip() else ""


def _beside(layout: Layout, row: Row, name: str) -> Any:
    column = layout.beside.get(name)
    return row.get(column) if column else None


def _text(value: Any, column: str) -> str:
    text = answer_text(value)
    if text is None:
        raise ValueError(f"has {value!r:.60} in column '{column}', which must be text")
    return text
