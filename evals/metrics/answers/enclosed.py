"""Answers that are marked by a tag or a key: `<answer>42</answer>`, `{"answer": 42}`."""

import json
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Enclosed:
    """What stands in a tag or behind a key, and what is said after it."""

    content: str
    rest: str


def enclosed(text: str) -> Enclosed | None:
    """Return the last answer of `text` that a tag or a JSON key marks; None where none does.

    A tag that never closes holds the paragraph it begins; a closing tag alone, what came before it.
    """
    tags, key = list(_TAG.finditer(text)), _last_key(text)
    tag = tags[-1] if tags else None
    if key is not None and (tag is None or key.start() > tag.start()):
        return Enclosed(_decoded(key["value"]), text[key.end() :])
    if tag is None:
        return None
    if tag["open"]:
        content, _, rest = text[tag.end() :].strip().partition("\n\n")
        return Enclosed(content, rest)
    before = tags[-2] if len(tags) > 1 else None
    start = before.end() if before else 0
    return Enclosed(text[start : tag.start()], text[tag.end() :])


_TAG_NAMES = r"answer|final_answer|finalanswer|final-answer|solution|result|output|response"
_TAG = re.compile(
    rf"(?i)(?P<open><(?:{_TAG_NAMES})>|<\|begin_of_solution\|>)"
    rf"|(?P<close></(?:{_TAG_NAMES})>|<\|end_of_solution\|>)"
)
_KEY = re.compile(
    r"""(?ix) [{,]\s*+ (?P<quote>["']) (?:final[ _-]?)?answer (?P=quote) \s*+ : \s*+
    (?P<value> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [-+]?[\d.][\w.,+-]*+ | null )"""
)


def _last_key(text: str) -> re.Match[str] | None:
    keys = list(_KEY.finditer(text))
    return keys[-1] if keys else None


def _decoded(value: str) -> str:
    """Return a JSON value as text."""
    if value.startswith("'"):
        return value[1:-1]
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')
