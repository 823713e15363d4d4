"""Scores that cannot be: values outside of what a metric can be, and what is no finite number.

It does not know whether a value that can be is the right one.
"""

import math
import reprlib
from collections.abc import Iterator

from stagelift.evals.metrics.measures import Bounds, measure
from stagelift.reports.gates.scores import StageScores

_SIGNLESS = ("length", "time")


def refuse_unsound(scores: StageScores, where: str) -> None:
    """Raise ValueError, in a sentence that begins with `where`, for the first value that cannot
    be, and for the name of no metric.
    """
    bounds = {metric: _bounds(metric) for metric in scores.values}
    for metric, prompt, value in _values(scores):
        least, most = bounds[metric]
        if not least <= value <= most or math.isinf(value):
            raise ValueError(
                f"{where}: the {metric!r} of {_short(prompt)} is {value!r}, and it is a number "
                f"{_between(least, most)}. Evaluate again, or repair what wrote it."
            )
    for metric, lengths in scores.lengths.items():
        for prompt, length in lengths.items():
            if not math.isfinite(length):
                raise ValueError(
                    f"{where}: the length difference of {_short(prompt)} for {metric!r} is "
                    f"{length!r}. Evaluate again, or repair what wrote it."
                )


def _values(scores: StageScores) -> Iterator[tuple[str, str, float]]:
    """Yield every value with its metric and prompt, and those of a recipe's trainings."""
    for metric, values in scores.values.items():
        columns = [training.values[metric] for training in scores.trainings]
        for column in [values.values(), *columns]:
            for prompt, value in zip(values, column, strict=True):
                yield metric, prompt, value


def _bounds(metric: str) -> Bounds:
    known = measure(metric)
    if known.bounds is not None:
        return known.bounds
    return (0.0 if known.family in _SIGNLESS else -math.inf), math.inf


def _between(least: float, most: float) -> str:
    if math.isinf(most):
        return "from 0 on" if least == 0 else "that is finite"
    return f"from {least:g} to {most:g}"


def _short(prompt: str) -> str:
    return reprlib.repr(prompt)
