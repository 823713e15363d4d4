"""How the `openai` judge asks a server, which may refuse a part of the usual request.

Models that think refuse a temperature, want their limit of tokens under another name, or need more
tokens before they say a word. A server that names what it refuses is asked without it.
"""

import re
from typing import Any, Literal

from stagelift.evals.judges.openai_prompt import MAX_TOKENS, TEMPERATURE
from stagelift.evals.records import Record

# enough to think about two responses, and an end to it
THINKING_TOKENS = 4096
# what is looked at of a refusal: after that it may quote the question
_LOOKED_AT = 600


class Way(Record):
    """What a request says beside the question: whether a temperature, how the limit is called
    (None: no limit), and how many tokens that is.
    """

    temperature: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] | None = "max_tokens"
    tokens: int = MAX_TOKENS

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of a request."""
        arguments: dict[str, Any] = {}
        if self.temperature:
            arguments["temperature"] = TEMPERATURE
        if self.limit is not None:
            arguments[self.limit] = self.tokens
        return arguments

    def thinking(self) -> "Way":
        """Return the same with room for thoughts."""
        return self.model_copy(update={"tokens": THINKING_TOKENS})

    def may_think(self) -> bool:
        """Say whether there is room for thoughts."""
        return self.limit is None or self.tokens >= THINKING_TOKENS

    def differences(self) -> list[str]:
        """Say in what it differs from the usual one."""
        said = []
        if not self.temperature:
            said.append("without a temperature, which the server refuses")
        if self.limit is None:
            said.append("without a limit of tokens, which the server refuses")
        elif self.limit != USUAL.limit:
            said.append(f"with {self.limit} in place of {USUAL.limit}")
        if self.limit is not None and self.tokens != MAX_TOKENS:
            said.append(f"with up to {self.tokens:,} tokens, as it thinks first")
        return said


USUAL = Way()


def without_refused(way: Way, refusal: str) -> Way | None:
    """Return the way without what a refusal names; None where it names nothing that was sent."""
    words = refusal[:_LOOKED_AT]
    if way.temperature and _names(words, "temperature"):
        return way.model_copy(update={"temperature": False})
    if way.limit is not None and _names(words, way.limit):
        other = "max_completion_tokens" if way.limit == "max_tokens" else None
        return way.model_copy(update={"limit": other})
    return None


def _names(words: str, parameter: str) -> bool:
    return re.search(rf"\b{parameter}\b", words) is not None
