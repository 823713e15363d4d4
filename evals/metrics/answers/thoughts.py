"""What a model thinks or asks of a tool is not what it states."""

import re

# a reasoning model's tags, and tools: what they are told and what they return
_TAG_NAMES = (
    r"think(?:ing)?|thoughts?|seed:think|think_\w{1,10}|reason(?:ing)?|rationale|scratch[ _-]?pad"
    r"|analysis|reflection|(?:inner|internal)[ _-]?(?:monologue|thoughts?)|planning|plan|cot"
    r"|chain[ _-]of[ _-]thought|work|working|working[ _-]out|tool_calls?|tool_response|tool_result"
    r"|tool_output|tool_code|function_calls?|function_results?|function_response"
)
_TAG = re.compile(
    rf"""(?ix)
      (?P<close> </[ ]?(?:{_TAG_NAMES})[ ]?> | \[/(?:think|thinking|reasoning|thought)\]
        | <\|/?(?:end_of_thought|end_thinking|end_think|/think|/thinking)\|> | </?end_working_out>
        | ◁/think▷ | <unused95> )
    | (?P<open> <(?:{_TAG_NAMES})(?:[ ][^<>\n]{{0,60}})?> | \[(?:think|thinking|reasoning|thought)\]
        | <\|(?:begin_of_thought|start_thinking|begin_think|think|thinking)\|>
        | <start_working_out> | ◁think▷ | <unused94> )"""
)
_CHANNEL = re.compile(r"<\|channel\|>\s{0,3}(?:analysis|commentary|(?P<final>final))\b")
# channels where the marks between them were left out: "analysisWe add.assistantfinal42"
_BARE_CHANNEL = re.compile(r"\A\s{0,9}(?:assistant)?analysis(?=[A-Z\"'\d])")
_BARE_FINAL = re.compile(r"assistant\s{0,3}final(?![a-z])")


def without_thoughts(text: str) -> str | None:
    """Return what `text` says aloud; None where a thought never ends, so nothing is stated yet.

    A closing tag without its opening one ends a thought that the prompt had begun.
    """
    aloud = _final_channel(text)
    if aloud is None:
        return None
    parts: list[str] = []
    start, is_thought = 0, False
    for tag in _TAG.finditer(aloud):
        if tag["open"] and not is_thought:
            parts.append(aloud[start : tag.start()])
        elif tag["close"] and not is_thought:
            parts.clear()
        is_thought = tag["open"] is not None
        start = tag.end()
    return None if is_thought else "\n".join([*parts, aloud[start:]])


def _final_channel(text: str) -> str | None:
    """Return what stands in the first final channel; all of a text that has no channels."""
    channels = list(_CHANNEL.finditer(text))
    final = next((channel for channel in channels if channel["final"]), None)
    if channels:
        return text[final.end() :].removeprefix("<|message|>") if final else None
    if _BARE_CHANNEL.match(text):
        bare = _BARE_FINAL.search(text)
        return text[bare.end() :] if bare else None
    return text
