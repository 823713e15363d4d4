"""Why a response ended, in the words of servers and of libraries: by itself, or at a token limit.

Other ends (a filter, an error, a cancelled request) are neither, and not known to be either.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

FinishReason = Literal["stop", "length"]

# OpenAI, vLLM, Anthropic, Gemini, Bedrock, Cohere, Mistral, TGI, watsonx, llama.cpp, HELM, Inspect
_BY_ITSELF = {
    "complete",
    "completed",
    "end_of_sequence",
    "end_of_text",
    "end_of_turn",
    "end_turn",
    "endoftext",
    "eos",
    "eos_token",
    "eot",
    "finish",
    "finished",
    "function_call",
    "stop",
    "stop_sequence",
    "stop_string",
    "stop_token",
    "tool_call",
    "tool_calls",
    "tool_use",
    "word",
}
_AT_THE_LIMIT = {
    "context_length",
    "context_length_exceeded",
    "incomplete",
    "length",
    "limit",
    "max_completion_tokens",
    "max_length",
    "max_new_tokens",
    "max_output_tokens",
    "max_token",
    "max_tokens",
    "max_tokens_reached",
    "model_context_window_exceeded",
    "model_length",
    "token_limit",
    "truncated",
}


def read_finish_reason(word: str | None) -> FinishReason | None:
    """Say whether a response ended by itself or was cut off; None where the word does not tell."""
    if word is None:
        return None
    plain = _plain(word)
    if plain in _AT_THE_LIMIT:
        return "length"
    return "stop" if plain in _BY_ITSELF else None


def unknown_words(words: Iterable[str | None]) -> list[str]:
    """Say which words do not tell how a response ended, and how often each stands there."""
    counts = Counter(
        word for word in words if word is not None and read_finish_reason(word) is None
    )
    return [
        f"finish reason {word!r} of {count} responses says neither that it ended by itself (stop) "
        "nor that it was cut off (length): how they ended is taken as not known"
        for word, count in sorted(counts.items())
    ]


def _plain(word: str) -> str:
    """`FinishReason.MAX_TOKENS`, `max-tokens` and `Max Tokens` are one word."""
    last = word.strip().casefold().rsplit(".", 1)[-1]
    return last.replace("-", "_").replace(" ", "_").removeprefix("finish_reason_")
