"""What a tool itself printed of the documents that are imported, where it is not their mean."""

import math
from collections.abc import Mapping, Sequence

from stagelift.evals.records import TaskScore

# printed values are rounded
_ROUNDING = 5e-4


def differences(
    tool: str, printed: Mapping[str, float], scores: Mapping[str, Sequence[TaskScore]]
) -> list[str]:
    """Say which metrics, by their full name, have a mean that is not what the tool printed."""
    values: dict[str, list[float]] = {}
    for task_scores in scores.values():
        for score in task_scores:
            values.setdefault(score.metric, []).append(score.value)
    means = {metric: math.fsum(of) / len(of) for metric, of in values.items()}
    return [
        f"{tool} says that {metric} is {value:g}, and the mean of its {len(values[metric])} "
        f"documents here is {means[metric]:g}: it is another aggregation, or of other documents"
        for metric, value in printed.items()
        if metric in means and not is_rounded(means[metric], value)
    ]


def is_rounded(mean: float, printed: float) -> bool:
    """Say whether a mean is what was printed."""
    return abs(mean - printed) <= _ROUNDING * max(1.0, abs(printed))
