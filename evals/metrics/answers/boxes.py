r"""Answers in a box: `\boxed{42}`."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from stagelift.evals.metrics.answers.magnitudes import SCALE, UNCLEAR
from stagelift.evals.metrics.answers.sentences import Statement, stated


def boxed(text: str) -> Iterator[Statement]:
    """Yield what the boxes of plain text state, the last first; an empty one states nothing.

    A box that is part of something ("3 or 4", a sum) is unreadable, and so is one that is cut off
    or holds no number.
    """
    boxes = [box for box in _BOX.finditer(text) if box["content"] != ""]
    values = [_alone(text, box) for box in boxes]
    unclear = set[int]()
    for index, (left, right) in enumerate(pairwise(boxes)):
        is_joined = _BETWEEN.fullmatch(text, left.end(), right.start()) is not None
        if is_joined and values[index] != values[index + 1]:
            unclear |= {index, index + 1}
    for index in reversed(range(len(boxes))):
        value = None if index in unclear else values[index]
        if not boxes[index]["doubt"]:
            yield Statement(boxes[index].start(), boxes[index].end(), value)


_BOX = re.compile(
    r"(?P<doubt>\b(?:not|if|whether|unless) )?\\boxed ?\{\s*+(?:(?P<content>[^{}\n]*)\n?\})?"
)
_BETWEEN = re.compile(
    r"[^\w\n]{0,12}(?:(?:or|and|to|nor|oder|und|ou|et|o|y|e|или|и|或|和)[^\w\n]{0,12})?"
)
_BEFORE = re.compile(r"(?:\b(?:or|nor)[^\w\n]{1,4}|[-+*/×·÷^] ?)\Z")
_AFTER = re.compile(
    rf"(?i)[^\w\n]{{0,4}}(?:or|nor|to)\b|[^\S\n]*[-+*/×·÷^] ?[\w(]|{SCALE}|{UNCLEAR}"
)
_FACTORIAL = re.compile(r"\d ?!")


def _alone(text: str, box: re.Match[str]) -> Fraction | None:
    """Read one box; None where what stands beside it says that it is only a part."""
    before = text[max(0, box.start() - 24) : box.start()]
    is_part = _BEFORE.search(before) or _AFTER.match(text, box.end())
    content = box["content"]
    if content is None or is_part or _FACTORIAL.search(content):
        return None
    return stated(content)
