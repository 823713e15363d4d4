"""JSON from outside: bounded, every key once, no number beyond 64 bits, and text that is Unicode.

It is parsed twice: pydantic's parser says what is no JSON, or is nested too deep, before Python's
makes values of it. Python's alone would take NaN and half of a surrogate pair, and recurse.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from stagelift.evals.bounded_text import LARGEST_TEXT, first_character, read_lines, read_text

# what pydantic's parser refuses to go below
DEEPEST = 200
# the values of a text with fewer fit in about 2 GiB
MOST_VALUES = 20_000_000
# an integer of more is no 64-bit float
MOST_DIGITS = 308
_LINE_END = "\n"
_NO_NUMBER = re.compile(r"[^-]?(-?(?:NaN|Infinity))")
_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_SAID_PLAINLY = {
    "recursion limit exceeded": f"it is nested more than {DEEPEST} deep",
    "unexpected end of hex escape": "half of a surrogate pair, which is no text",
    "lone leading surrogate in hex escape": "half of a surrogate pair, which is no text",
    "control character (\\u0000-\\u001F) found while parsing a string": "a control character or "
    "line end inside of text",
    "EOF while parsing a value": "it ends where a value should stand",
    "number out of range": f"a number of more than {MOST_DIGITS} digits",
}


def parse_json(text: str, place: str, *, nan: bool = False) -> Any:
    """Parse JSON; `nan` lets NaN and Infinity through, which Python's json writes.

    Raises ValueError in a sentence that begins with the `place`, and names the line in it where
    there are several.
    """
    refuse_many_values(text, place)
    try:
        from_json(text, allow_inf_nan=nan, cache_strings="none")
    except ValueError as error:
        raise ValueError(f"{place} is not valid JSON: {_problem(text, error)}.") from None
    try:
        return json.loads(
            text, object_pairs_hook=keys_once, parse_float=_finite, parse_int=_bounded
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} is not valid JSON: {error}.") from None


def read_json(path: Path, *, nan: bool = False, largest: int = LARGEST_TEXT) -> dict[str, Any]:
    """Read a JSON object of at most `largest` bytes.

    Raises ValueError, naming the file, where it is not one.
    """
    content = parse_json(read_text(path, largest), str(path), nan=nan)
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold a JSON object.")
    return content


def read_rows(
    path: Path, malformed: Callable[[ValueError], Any] | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a JSON list or of JSON lines (`.gz` or not), numbered from 1.

    A number is that of the line, or in a list the position. NaN, which other tools write for what
    has no value, is let through.

    Raises ValueError, naming the file and line, where it is not JSON; with `malformed` a bad line
    yields what that returns.
    """
    if first_character(path) == "[":
        yield from enumerate(parse_json(read_text(path), str(path), nan=True), start=1)
        return
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                yield number, parse_json(line, f"{path}, line {number}", nan=True)
            except ValueError as error:
                if malformed is None:
                    raise
                yield number, malformed(error)


def refuse_many_values(text: str, place: str) -> None:
    """Raise ValueError where a text of JSON holds more values than memory does."""
    if len(text) > MOST_VALUES and sum(map(text.count, ",[{")) > MOST_VALUES:
        raise ValueError(
            f"{place} holds more than {MOST_VALUES:,} values, the most that is read. Split it."
        )


def keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: readers would differ in which value they take."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError(f"key {_twice(pairs)!r:.60} is there twice")
    return content


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """Return the first key that is there again."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("every key is there once")


def _problem(text: str, error: ValueError) -> str:
    """Say what pydantic's parser met, and in which line where there are several."""
    said = str(error)
    where = _PLACE.search(said)
    if where is None:
        return said
    problem = _SAID_PLAINLY.get(said[: where.start()], said[: where.start()])
    line, column = int(where[1]), int(where[2])
    stands_there = text.split(_LINE_END, line)[line - 1][max(column - 2, 0) :]
    if no_number := _NO_NUMBER.match(stands_there):
        problem = f"{no_number[1]} is no number"
    place = f"line {line}, " if _LINE_END in text.strip() else ""
    return f"{problem} ({place}column {column})"


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is no number that 64 bits hold")
    return number


def _bounded(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of more than {MOST_DIGITS} digits")
    return int(text)
