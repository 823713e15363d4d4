"""A stored preference between two outputs: from 1 (the first is better) to 2 (the second is).

A draw is 1.5 or, in AlpacaEval's older files and those of its annotator `alpaca_eval_gpt4`, 0. A
pair without a verdict is null, NaN or -1: AlpacaEval leaves these out.

Source: tatsu-lab/alpaca_eval, `describe_head2head` in metrics/helpers.py.
"""

import math

_DRAW = 1.5


def read_preference(value: object) -> float | None:
    """Return a preference from 1 to 2; None where there was no verdict.

    Raises ValueError for anything else.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(_refusal(value))
    if math.isnan(value) or value == -1:
        return None
    if value == 0:
        return _DRAW
    if not 1 <= value <= 2:
        raise ValueError(_refusal(value))
    return float(value)


def _refusal(value: object) -> str:
    return (
        f"preference {value!r} is none: a number from 1 (the first is better) to 2 is needed, 1.5 "
        "or 0 for a draw, null for no verdict"
    )
