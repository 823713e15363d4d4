"""How lengths differ, told two ways that a few runaway responses do not decide: the ratio of
geometric means and the median difference.

Neither says that longer or shorter is better, and neither is the mean difference that a report's
verdict is of.
"""

from collections.abc import Sequence

import numpy as np

from stagelift.evals.records import Metric
from stagelift.evals.stats.difference import difference
from stagelift.evals.stats.estimates import quantile


def ratio(values: Sequence[float], others: Sequence[float]) -> Metric | None:
    """Geometric mean of the paired ratios value / other, its interval that of the difference of
    logs; None where one is not positive.
    """
    x, y = np.asarray(values, dtype=float), np.asarray(others, dtype=float)
    if min(x.min(), y.min()) <= 0:
        return None
    logs = difference(np.log(x / y).tolist(), bound=np.inf)
    return Metric(
        value=float(np.exp(logs.delta)),
        low=float(np.exp(logs.low)),
        high=float(np.exp(logs.high)),
        n=logs.n,
    )


def median_difference(differences: Sequence[float]) -> Metric:
    """Median of the paired differences with its exact order-statistic interval."""
    return quantile(differences, 0.5)
