"""Turns of a conversation in a row, with all that a chat template is shown of them."""

from collections.abc import Mapping
from typing import Any

# what of a row a template is shown beside its turns
BESIDE = ("tools", "chat_template_kwargs")
# whose turn it can be
ROLES = ("system", "developer", "user", "assistant", "tool")
# what of a turn beside its role and content
OF_A_TURN = ("tool_calls", "tool_call_id", "name", "reasoning_content")


def as_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return a turn's role and text, and what else a template is shown of it.

    A turn that calls tools may have no text.
    """
    shown = {name: turn[name] for name in OF_A_TURN if turn.get(name)}
    content = turn["content"] if turn.get("content") is not None else ""
    return {"role": str(turn["role"]), "content": str(content), **shown}
