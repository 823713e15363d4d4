"""What several jobs cost together, and what that is known from."""

from collections.abc import Sequence

from stagelift.harness.forecast import guess
from stagelift.harness.forecast.estimate import Basis, Cost

# from the firmest ground to the weakest
GROUNDS: dict[Basis, str] = {
    "measured": "as measured",
    "same settings": "from earlier records",
    "scaled": "in part scaled from earlier records",
    "guess": f"in part a guess, which may be {guess.TIMES_OFF} times off",
}


def total_cost(costs: Sequence[Cost | None]) -> Cost | None:
    """Add up what is known; the total rests on the weakest ground that any part does."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return None
    weakest = next(
        basis for basis in reversed(list(GROUNDS)) if any(cost.basis == basis for cost in known)
    )
    return Cost(
        seconds=sum(cost.seconds for cost in known),
        low=sum(cost.low for cost in known),
        high=sum(cost.high for cost in known),
        memory_bytes=max(
            (cost.memory_bytes for cost in known if cost.memory_bytes is not None), default=None
        ),
        basis=weakest,
    )
