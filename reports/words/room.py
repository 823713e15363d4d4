"""What differences that were not shown leave room for, and what it takes for one to be shown: the
same sentence for stages of a chain and for variants.
"""

from collections.abc import Sequence

from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.variants import VariantDifference
from stagelift.reports.words import formatting


def room_left(alike: Sequence[Comparison] | Sequence[VariantDifference]) -> str:
    """Say how large a difference these data leave possible, which is what intervals are for, and
    how large one must be for the next comparison to show it, which is the MDE. All are of one
    metric.
    """
    metric = alike[0].metric
    unit = formatting.unit_of(metric)
    possible = formatting.size(metric, max(max(-one.low, one.high) for one in alike))
    leaves = "interval leaves" if len(alike) == 1 else "intervals leave"
    said = f"95% {leaves} room for {possible}{unit}"
    if any(one.mde is None for one in alike):
        return f"{said}; so few as these show no difference after Holm"
    likely = formatting.size(metric, max(one.mde or 0.0 for one in alike))
    return f"{said}; to be shown again with 80% chance, after Holm, one has to be {likely} (MDE)"
