"""How much worse a candidate may be, per metric: what `gates:` and `--margin` say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stagelift.evals.metrics.measures import FIXED, measure

# of a length that may go neither way, where no number is written
_DEFAULT_LENGTH = 10.0
_WRITTEN = re.compile(r"(?P<size>\d+(\.\d+)?)?\s*(?P<both>both)?")


@dataclass(frozen=True)
class Margin:
    """A metric's margin: percentage points of a share, percent of the baseline's mean of anything
    else.

    Only a fall of what should be high and a rise of what should be low counts as worse; with
    `both`, either way does.
    """

    metric: str
    size: float
    both: bool = False


def read_margins(written: Mapping[str, object]) -> list[Margin]:
    """Read margins such as {"accuracy": 2, "length_tokens": "10 both"}.

    Raises ValueError, in a sentence.
    """
    return [_margin(metric, text) for metric, text in written.items()]


def default_margins(present: set[str]) -> list[Margin]:
    """Return the margins that count where none was given: of the metrics that both sides have."""
    usual = [known for known in FIXED if known.name in present]
    return [Margin(known.name, known.margin) for known in usual if known.margin is not None]


def _margin(metric: str, written: object) -> Margin:
    found = _WRITTEN.fullmatch(str(written).strip())
    if found is None or not found[0]:
        raise ValueError(
            f"The margin of '{metric}' is {written!r}. Write a number (percentage points; of a "
            "length percent), such as 2, or for a length also `both`, such as '10 both'."
        )
    gated = measure(metric)
    if gated.against == "previous":
        raise ValueError(
            f"'{metric}' cannot be gated: the stage before is another model in each run. Gate a "
            "win rate against base."
        )
    if found["both"] and (gated.family != "length" or gated.quantile is not None):
        raise ValueError(
            f"The margin of '{metric}' says `both`, which is for lengths: more of it is better or "
            "worse."
        )
    if found["size"] is None:
        return Margin(metric, _DEFAULT_LENGTH, both=True)
    if (size := float(found["size"])) <= 0:
        raise ValueError(
            f"The margin of '{metric}' is {size:g}. It must be above 0: no n shows a difference to "
            "be nothing."
        )
    return Margin(metric, size, bool(found["both"]))
