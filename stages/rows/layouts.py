"""Layouts: which column of a dataset holds what, by the names that people give columns.

A layout is told by the columns and the first row, and every other row is read by it: what becomes
of a row does not depend on the rows after it. TRL's own names come first; what could be meant in
two ways is refused, as `columns` of a recipe can say it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stagelift.evals.data.alpaca import INPUT, INPUTS, input_column
from stagelift.evals.data.answers import number_text
from stagelift.evals.data.source import Source
from stagelift.stages.kind import Kind, Row
from stagelift.stages.rows.conversations import (
    Conversation,
    is_ours,
    is_whole,
    talk,
    transcript,
)
from stagelift.stages.rows.labels import is_plain

PROBLEM = ("question", "answer")
TALK = ("prompt", "messages", "completion", "chosen", "rejected")
_NAMES = {
    "prompt": ("prompt", "instruction", "question", "problem", "query", "input"),
    "completion": ("completion", "output", "response", "target", "solution", "answer"),
    "messages": ("messages", "conversations", "conversation"),
}
# what belongs to a prompt and stands in columns of its own
_BESIDE = {
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "input": INPUTS,
}


class AmbiguousColumnsError(ValueError):
    """Several columns could be meant by one name."""


@dataclass(frozen=True)
class Layout:
    """Which column holds what, in which of a kind's formats (`wanted`) a row is to be.

    `holds` maps TRL's names to the dataset's; a conversation in `messages` may hold what other
    names are wanted for. `beside` are the columns of a prompt's system text, its earlier turns and
    Alpaca's input. With `turns` rows become turns of a conversation, of which `transcripts` of
    HH-RLHF are written as text. `made` says what else rows need.
    """

    wanted: tuple[str, ...]
    holds: Mapping[str, str]
    beside: Mapping[str, str] = field(default_factory=dict)
    turns: bool = False
    transcripts: bool = False
    made: tuple[str, ...] = ()

    @property
    def keeps_rows(self) -> bool:
        """Say whether rows are in TRL's format and stay as they are."""
        renamed = any(name != column for name, column in self.holds.items())
        return not (renamed or self.beside or self.made)

    @property
    def name(self) -> str | None:
        """Say what is made of rows, None: nothing, or an instruction with its input, which is said
        otherwise. It is part of what a stage is.
        """
        if self.beside == {"input": INPUT} and replace(self, beside={}).keeps_rows:
            return None
        columns = [f"{name}={self.holds[name]}" for name in self.holds if name != self.holds[name]]
        columns += [f"{name}={column}" for name, column in self.beside.items()]
        return " ".join([*columns, *self.made]) or None


def layout_of(kind: Kind, source: Source, columns: Sequence[str], first: Row) -> Layout | None:
    """Return how rows are laid out; None where nothing that is known fits a kind of stage.

    Raises ValueError, with a clause about the row, where the first one holds what cannot be read;
    AmbiguousColumnsError, with one about the dataset, where columns could be meant in two ways.
    """
    wanted, holds = _format(kind, columns, source.columns)
    if not holds or wanted == PROBLEM:
        return Layout(wanted, holds) if holds else None
    if "chosen" in holds and "prompt" not in holds:
        holds = _with_prompt(holds, columns, first)
    values = {name: first.get(holds[name]) for name in TALK if name in holds}
    said = {name: _turns_in(name, value, source) for name, value in values.items()}
    beside = _beside(columns, holds, said)
    given = input_column(source, columns)
    if given is not None and holds.get("prompt") == "prompt" and _is_text(values):
        beside["input"] = given
    transcripts = source.chat and any(map(_is_transcript, values.values()))
    talks = transcripts or any(said.values())
    roles = source.chat and bool({"system", "history"} & set(beside))
    numbers = any(isinstance(value, int | float) for value in values.values())
    begun = talks or {"prompt", "messages"} & set(holds)
    label = first.get(holds["label"]) if "label" in holds else True
    made = {
        "transcripts": transcripts,
        "turns": talks and not all(is_ours(value) for value in values.values() if value),
        "roles": roles and not talks,
        "numbers": numbers,
        # two answers that nobody asked for
        "unasked": source.chat and "chosen" in holds and not begun,
        "split": "messages" in holds and "messages" not in wanted,
        "shared": "prompt" in holds and is_whole(values.get("chosen")),
        # whose first turns once were left out
        "begun_before": _begins_before(said),
        "labels": not is_plain(label),
        # which once were left out
        "inputs_as_numbers": "input" in beside and _is_number(first.get(beside["input"])),
    }
    return Layout(
        wanted,
        holds,
        beside,
        turns=talks or roles or made["unasked"],
        transcripts=transcripts,
        made=tuple(name for name in made if made[name]),
    )


# columns that say which answer is good in a way that is not read, and what to make of them
_HINTS = (
    (("response_0", "response_1"), "Write the better answer as chosen, the other as rejected."),
    (("response1", "response2"), "Write the better answer as chosen, the other as rejected."),
    (("score",), "Make label of score: true from where on an answer is good."),
    (("rating",), "Make label of rating: true from where on an answer is good."),
)


def hint(kind: Kind, columns: Collection[str]) -> str:
    """Say what to make of columns that cannot be read as they are; nothing where that is unknown.

    A score becomes a label only where somebody says what is good.
    """
    wanted = {name for names in kind.formats for name in names}
    texts = (
        text
        for names, text in _HINTS
        if set(names) <= set(columns) and wanted & set(re.findall("label|chosen", text))
    )
    return next((f" {text}" for text in texts), "")


def _format(
    kind: Kind, columns: Sequence[str], named: Collection[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Find the columns of one of a kind's formats: by TRL's names, else by those of others.

    Word problems come in between. A text beside an instruction is the same row, as it was written
    for one model, and is not read unless `columns` names it.
    """
    native = next((wanted for wanted in kind.formats if set(wanted) <= set(columns)), None)
    if native == ("text",) and "instruction" in columns and "text" not in named:
        native = None
    if native is None and set(PROBLEM) <= set(columns):
        native = PROBLEM
    if native is not None:
        return native, {name: name for name in native}
    foreign = ((wanted, _foreign(wanted, columns)) for wanted in kind.formats)
    return next(((wanted, holds) for wanted, holds in foreign if holds), ((), {}))


def _foreign(wanted: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Find each wanted column under another name, prompt and completion in a conversation too;
    empty where one is not there.
    """
    known = {name: _column_for(name, columns) for name in wanted}
    holds = {name: column for name, column in known.items() if column is not None}
    missing = set(wanted) - set(holds)
    if not missing:
        return holds
    talk = _column_for("messages", columns)
    if talk is None or not missing <= {"prompt", "completion"}:
        return {}
    if "completion" in missing:
        holds.pop("prompt", None)
    return {"messages": talk, **holds}


def _column_for(wanted: str, columns: Sequence[str]) -> str | None:
    known = [name for name in _NAMES.get(wanted, (wanted,)) if name in columns]
    if wanted in known:
        return wanted
    if len(known) > 1 and wanted == "prompt" and "input" in known:
        known.remove("input")
    if len(known) > 1:
        choices = " or ".join(f"{{{wanted}: {name}}}" for name in known)
        raise AmbiguousColumnsError(
            f"has columns {' and '.join(known)}, and each could be the {wanted}: say which with "
            f"columns: {choices}"
        )
    return known[0] if known else None


def _with_prompt(holds: dict[str, str], columns: Sequence[str], first: Row) -> dict[str, str]:
    """Add the prompt of two answers. Where they are whole conversations only TRL's own column is
    one.
    """
    if "prompt" in columns:
        return {"prompt": "prompt", **holds}
    if is_whole(first.get(holds["chosen"])):
        return holds
    prompt, talk = _column_for("prompt", columns), _column_for("messages", columns)
    if prompt is not None:
        return {"prompt": prompt, **holds}
    return holds if talk is None else {"messages": talk, **holds}


def _beside(
    columns: Sequence[str],
    holds: Mapping[str, str],
    said: Mapping[str, Conversation | None],
) -> dict[str, str]:
    """Find what belongs to a prompt and stands in columns of its own."""
    known = {
        name: next((column for column in names if column in columns), None)
        for name, names in _BESIDE.items()
    }
    used = {name for name in known if known[name] is None or known[name] in holds.values()}
    if not _is_asked_about(holds):
        used.add("input")
    if "prompt" not in holds or said["prompt"]:
        used.add("history")
    begins = next((said[name] for name in TALK if name in said), None)
    if "text" in holds or _has_system(begins):
        used.add("system")
    return {name: column for name, column in known.items() if column and name not in used}


def _is_asked_about(holds: Mapping[str, str]) -> bool:
    """Say whether an input beside belongs to the prompt. Beside a prompt in TRL's own format it may
    be anything.
    """
    is_trls = all(name == column for name, column in holds.items())
    return holds.get("prompt") in ("instruction", "question", "prompt") and not is_trls


def _begins_before(said: Mapping[str, Conversation | None]) -> bool:
    """Say whether the prompt is a conversation that begins earlier than the whole ones beside."""
    prompt, chosen = said.get("prompt") or [], said.get("chosen")
    return chosen is not None and len(prompt) > 1 and is_whole(chosen) and prompt[0] != chosen[0]


def _is_number(value: Any) -> bool:
    return number_text(value) is not None


def _is_text(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get("prompt"), str)


def _turns_in(name: str, value: Any, source: Source) -> Conversation | None:
    """Return the turns that a column holds, None where it holds none: texts that are to stay texts
    hold none. Raises ValueError where it holds neither turns nor text.
    """
    stays = isinstance(value, str) and name != "messages" and not source.chat
    if value is None or stays or isinstance(value, bool | int | float):
        return None
    return talk(name, value)


def _is_transcript(value: Any) -> bool:
    return isinstance(value, str) and transcript(value) is not None


def _has_system(turns: Conversation | None) -> bool:
    return turns is not None and turns[0]["role"] in ("system", "developer")
