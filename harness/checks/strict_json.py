"""JSON as a check trusts it: every key once, no NaN or infinity, and text that is Unicode."""

import json
import math
from pathlib import Path
from typing import Any

from stagelift.evals.files import keys_once
from stagelift.harness.errors import UsageError


def read_strict_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises UsageError, naming the file, where it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(
            text,
            object_pairs_hook=keys_once,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        # half of a surrogate pair, which JSON can write and no text is
        if "\\ud" in text.lower():
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON that a check can trust: {error}.") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} is neither a report.json nor a baseline of stagelift.")
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is no number that 64 bits hold")
    return number
