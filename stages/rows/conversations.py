"""Conversations as people store them, as turns of a role and a content.

Turns come as role/content (OpenAI, TRL), from/value (ShareGPT) or input/output (Capybara); in a
list, alone, or column by column; as JSON text; and as a transcript of Human and Assistant, which is
how HH-RLHF has them.
Nothing is evaluated, and what is not known is refused.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from stagelift.evals.data.turns import OF_A_TURN, ROLES
from stagelift.stages.kind import Row

Conversation = list[Row]
# what others call them
_CALLED = {
    **{role: role for role in ROLES},
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bot", "model", "ai"), "assistant"),
    **dict.fromkeys(("observation", "function", "tool_response", "ipython"), "tool"),
}
_CALLS = ("function_call", "tool_call")
# what chat templates read of a turn beside its role and content
_KEPT = (*OF_A_TURN, "thinking")
_AS_PYTHON_PRINTS = re.compile(r"\s*\[?\s*\{\s*'(role|from|content|value|input|output)'")
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")


def conversation(value: Any) -> Conversation | None:
    """Return the turns that a value holds; None where it is a text of its own.

    Raises ValueError, with a clause about the value, where it holds neither.
    """
    if isinstance(value, str):
        parsed = _parsed(value)
        return None if parsed is None else conversation(parsed)
    if isinstance(value, dict):
        value = _entries(value)
    if not isinstance(value, list) or not value:
        raise ValueError(f"has {value!r:.60}, which is neither text nor turns")
    return [turn for entry in value for turn in _turns(entry)]


def talk(name: str, value: Any) -> Conversation | None:
    """Return the turns in a column of that name of TRL's; None where it holds a text of its own.

    An answer may be JSON itself: in JSON text it is turns only as a list of known roles.
    """
    if isinstance(value, str) and name != "messages" and not _is_written_turns(value):
        return None
    return conversation(value)


def transcript(text: str) -> Conversation | None:
    """Return the turns of a transcript, as HH-RLHF has them; None where a text is none."""
    if not text.lstrip().startswith("Human:") or "\n\nAssistant:" not in text:
        return None
    _, *parts = _SPEAKER.split("\n\n" + text.lstrip())
    said = zip(parts[::2], parts[1::2], strict=True)
    roles = {"Human": "user", "Assistant": "assistant"}
    return [{"role": roles[who], "content": words.strip()} for who, words in said]


def is_ours(value: Any) -> bool:
    """Say whether a value is turns of role and content as trainers take them."""
    return isinstance(value, list) and bool(value) and all(map(_is_turn, value))


def is_whole(value: Any) -> bool:
    """Say whether an answer is a whole conversation, which begins with what was asked."""
    turns = None if value is None or isinstance(value, int | float) else talk("chosen", value)
    return bool(turns) and turns is not None and turns[0]["role"] in ("system", "developer", "user")


def disorder(turns: Sequence[Row]) -> str | None:
    """Say, as a clause, which turns do not follow one another; None where all do."""
    for number, turn in enumerate(turns, start=1):
        role = turn["role"]
        if number == 1:
            continue
        before = turns[number - 2]["role"]
        if role == "system":
            return f"has turn {number} of the system, which can only be the first"
        if role == before and role in ("user", "assistant"):
            return f"has turns {number - 1} and {number} both of the {role}"
        if role == "tool" and before not in ("assistant", "tool"):
            return f"has turn {number} of a tool, which nobody called"
    return None


def _parsed(text: str) -> Any:
    """Parse JSON text of turns; None where a text is none."""
    if _AS_PYTHON_PRINTS.match(text):
        raise ValueError(
            f"has {text[:40]!r}, a list as Python prints it: write it as JSON, with json.dumps"
        )
    value = _parsed_json(text)
    first = value[0] if isinstance(value, list) and value else value
    return value if isinstance(first, dict) and _keys(first) is not None else None


def _is_written_turns(text: str) -> bool:
    if text.lstrip()[:1] == "[" and _AS_PYTHON_PRINTS.match(text):
        return True
    value = _parsed_json(text)
    entries = _entries(value) if isinstance(value, dict) else value
    # a turn alone is an answer in JSON
    return isinstance(entries, list) and entries != [value] and all(map(_has_role, entries))


def _has_role(entry: Any) -> bool:
    keys = _keys(entry) if isinstance(entry, dict) else None
    if keys is None or keys == ("input", "output"):
        return False
    return str(entry[keys[0]]).strip().lower() in (*_CALLED, *_CALLS)


def _parsed_json(text: str) -> Any:
    """Parse a list or an object; None where a text is none."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _keys(entry: Row) -> tuple[str, str] | None:
    """Name what a turn has its role and its content under."""
    for keys in (("role", "content"), ("from", "value"), ("input", "output")):
        if set(keys) <= set(entry) and entry[keys[0]] is not None:
            return keys
    return ("role", "content") if "role" in entry and entry.get("tool_calls") else None


def _entries(value: Row) -> list[Row]:
    """Return one turn alone as a list, and turns that are kept column by column as turns."""
    columns = list(value.values())
    if columns and all(isinstance(column, list) for column in columns):
        return [dict(zip(value, entry, strict=False)) for entry in zip(*columns, strict=False)]
    return [value]


def _turns(entry: Any) -> list[Row]:
    keys = _keys(entry) if isinstance(entry, dict) else None
    if keys is None:
        raise ValueError(f"has the turn {entry!r:.60}, without a role and a content")
    if keys == ("input", "output"):
        return [
            {"role": "user", "content": _content(entry["input"], "user")},
            {"role": "assistant", "content": _content(entry["output"], "assistant")},
        ]
    return [_turn(entry, entry[keys[0]], entry.get(keys[1]))]


def _turn(entry: Row, called: Any, content: Any) -> Row:
    role = str(called).strip().lower()
    if role in _CALLS:
        return {"role": "assistant", "content": "", "tool_calls": _tool_calls(content)}
    if role not in _CALLED:
        raise ValueError(
            f"has a turn of {called!r:.40}; known roles are {', '.join(_CALLED)}, function_call"
        )
    kept = {name: entry[name] for name in _KEPT if entry.get(name)}
    if "tool_calls" in kept and content is None:
        return {"role": _CALLED[role], "content": "", **kept}
    return {"role": _CALLED[role], "content": _content(content, _CALLED[role]), **kept}


def _content(content: Any, role: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, int) and not isinstance(content, bool):
        return str(content)
    if isinstance(content, list) and content:
        return "".join(map(_part, content))
    raise ValueError(f"has {content!r:.40} as what the {role} says, which must be text")


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    what = part.get("type") if isinstance(part, dict) else part
    raise ValueError(f"has a part {what!r:.40} in a turn; only text can be trained on here")


def _tool_calls(content: Any) -> list[Row]:
    """Return the calls that a turn of ShareGPT's writes as JSON."""
    try:
        calls = json.loads(content) if isinstance(content, str) else content
        calls = calls if isinstance(calls, list) else [calls]
        named = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise ValueError(
            f"has the function call {content!r:.40}, which is no JSON with name and arguments"
        ) from error
    return [{"type": "function", "function": call} for call in named]


def _is_turn(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("role") not in ROLES:
        return False
    content = entry.get("content")
    return isinstance(content, str) or (content is None and bool(entry.get("tool_calls")))
