"""Rewards of a user's own, found by their dotted paths; one has signal on a random model, where
correctness has none.
"""

import os
from typing import Any


def share_of_letters(completions: list[list[dict[str, str]]], **_: object) -> list[float]:
    """Return the share of characters that are letters."""
    texts = [completion[-1]["content"] for completion in completions]
    return [sum(c.isalpha() for c in text) / max(1, len(text)) for text in texts]


def fails_later_in_the_second_process(
    completions: list[list[dict[str, str]]], trainer_state: Any, **_: object
) -> list[float]:
    """Divide by zero after a step, in one of the processes that a launcher started."""
    if os.environ["RANK"] == "1" and trainer_state.global_step == 1:
        raise ZeroDivisionError("only the second process fails")
    return [0.0] * len(completions)
