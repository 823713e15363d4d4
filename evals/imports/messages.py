"""Chat messages as text: a prompt of several turns, or a response that is a list of one message.

They come as lists, as JSON text, or as pandas writes a list into a CSV.
"""

import ast
import json
from typing import Any

# a longer text is no list that somebody wrote into a cell
_LONGEST = 1_000_000


def prompt_text(value: Any) -> Any:
    """Return the text of a prompt: one message as it is, several with their roles.

    What are no messages is returned as it came.
    """
    messages = _messages(value)
    if messages is None:
        return value
    if len(messages) == 1:
        return messages[0][1]
    return "\n\n".join(f"{role}: {text}" for role, text in messages)


def response_text(value: Any) -> Any:
    """Return the text of a response: the last message's. Others are returned as they came."""
    messages = _messages(value)
    return value if messages is None else messages[-1][1]


def _messages(value: Any) -> list[tuple[str, str]] | None:
    """Return roles and texts; None where a value holds anything else."""
    if isinstance(value, str):
        value = _written_out(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        return None
    messages = []
    for message in value:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return None
        text = _content(message.get("content"))
        if text is None:
            return None
        messages.append((message["role"], text))
    return messages


def _written_out(text: str) -> Any:
    """Read a list of messages that was written as text; None where a text is something else."""
    stripped = text.strip()
    if len(text) > _LONGEST or not stripped.startswith(("[{", '{"role"', "{'role'")):
        return None
    if "role" not in stripped or "content" not in stripped:
        return None
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(stripped)
    # as the interpreter answers what is hostile
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _content(content: Any) -> str | None:
    """Return a message's text, which may come in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(parts) else None
    return None
