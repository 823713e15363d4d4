"""How much worse a candidate may be, per metric, and how much that counts: what `gates:`, `tiers:`
and `--margin` say.

Length has no better direction in a report; in a gate, more of it counts as worse.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from stagelift.evals.metrics.measures import Measure, measure, ordered

Tier = Literal["critical", "supporting", "advisory"]
# who declared a margin that nobody did
DEFAULT = "default"
# what is better
Direction = Literal["more", "less", "same"]
TIERS: tuple[Tier, ...] = get_args(Tier)
# of a length that may go neither way, where no number is written
_DEFAULT_LENGTH = 10.0
_WRITTEN = re.compile(
    r"(?P<size>\d+(\.\d+)?(e-?\d+)?)?\s*(?P<unit>points|percent|%)?\s*(?P<both>both)?", re.ASCII
)
# of points, or percent of a length: what is smaller was mostly meant as a fraction
_LEAST = 0.1


@dataclass(frozen=True)
class Margin:
    """A metric's margin: percentage points of a share, percent of the baseline's mean of anything
    else.

    Only a fall of what should be high and a rise of what should be low counts as worse; with
    `both`, either way does. A `critical` metric must be shown to be no worse than that, a
    `supporting` one must not be shown to be worse, an `advisory` one is told and decides nothing.
    `given_by` says where the margin was declared.
    """

    metric: str
    size: float
    both: bool = False
    tier: Tier = "critical"
    given_by: str = DEFAULT

    def direction(self) -> Direction:
        """Say what is better; of what has no better direction, either one is worse."""
        known = measure(self.metric)
        if self.both:
            return "same"
        return "less" if known.family == "length" else known.better or "same"

    def written(self) -> str:
        """Write it as `read_margins` reads it."""
        return f"{self.size!r} both" if self.both else repr(self.size)


def read_margins(written: Mapping[str, object], given_by: str = DEFAULT) -> list[Margin]:
    """Read margins such as {"accuracy": 2, "length_tokens": "10 both"}.

    Raises ValueError, in a sentence.
    """
    return [_margin(metric, text, given_by) for metric, text in written.items()]


def refuse_fractions(margins: Mapping[str, object]) -> None:
    """Raise ValueError, in a sentence, where a margin of a share or a length, as it is written,
    looks like a fraction.

    Of text loss, seconds and scores of other scales small ones are as good as any; `0.02 points`
    says that so little is meant.
    """
    for margin in read_margins(margins):
        known = measure(margin.metric)
        unit, is_exempt = _unit(known), known.unit != "share" and known.family != "length"
        if is_exempt or margin.size >= _LEAST or _has_unit(margins[margin.metric]):
            continue
        raise ValueError(
            f"The margin of '{margin.metric}' is {margin.size:g}, and margins of it are in {unit}. "
            f"Did you mean {margin.size * 100:g}? Where so little is meant, write "
            f"'{margin.size:g} {unit.split()[-1]}'."
        )


def default_margins(present: set[str]) -> list[Margin]:
    """Return the margins that count where none was given: of the metrics that are there.

    What a stage cost is supporting: a loss must not be shown, and need not be excluded.
    """
    usual = [measure(name) for name in ordered(present)]
    return [
        Margin(known.name, known.margin, tier="supporting" if known.supporting else "critical")
        for known in usual
        if known.margin is not None
    ]


def read_tiers(written: object) -> dict[str, Tier]:
    """Read tiers such as {"critical": ["accuracy"], "advisory": ["length_tokens"]}, by metric.

    Raises ValueError, in a sentence.
    """
    if not isinstance(written, Mapping) or not {*written} <= {*TIERS}:
        raise ValueError(
            f"The tiers are {written!r}. Write them as {{critical: [accuracy], supporting: "
            "[win_rate_base], advisory: [length_tokens]}."
        )
    tiers: dict[str, Tier] = {}
    for tier in TIERS:
        for metric in _metrics(tier, written.get(tier)):
            if metric in tiers:
                raise ValueError(f"'{metric}' is in two tiers. Keep one of them.")
            tiers[metric] = tier
    return tiers


def in_tiers(margins: Sequence[Margin], tiers: Mapping[str, Tier]) -> list[Margin]:
    """Put margins into tiers; what no tier names stays in its own, and what has no margin yet takes
    its default.

    Raises ValueError, in a sentence, where there is none, or nothing is critical: then nothing
    would have to be shown.
    """
    every = [*margins, *_defaults_of({*tiers} - {margin.metric for margin in margins})]
    named = [replace(margin, tier=tiers.get(margin.metric, margin.tier)) for margin in every]
    if named and all(margin.tier != "critical" for margin in named):
        raise ValueError(
            "No metric is critical, so that a check would pass whatever it sees. Name one under "
            "`critical`."
        )
    return named


def _metrics(tier: Tier, written: object) -> list[str]:
    if written is None:
        return []
    if not isinstance(written, list) or not all(isinstance(metric, str) for metric in written):
        raise ValueError(f"The tier '{tier}' is {written!r}. Write a list of metrics.")
    return written


def _defaults_of(metrics: set[str]) -> list[Margin]:
    found = {margin.metric: margin for margin in default_margins(metrics)}
    for metric in sorted(metrics - {*found}):
        measure(metric)
        raise ValueError(
            f"'{metric}' is in a tier and has no margin. Write one, such as `{metric}: 2` under "
            "`gates`."
        )
    return list(found.values())


def _margin(metric: str, written: object, given_by: str) -> Margin:
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
    if gated.family == "win rate by votes":
        raise ValueError(
            f"'{metric}' cannot be gated: a gate compares candidate and baseline prompt by prompt, "
            "and people have voted on a few prompts only. Gate the judge's win rate, and read what "
            "votes make of it in the report."
        )
    _refuse_unit(metric, found["size"], found["unit"])
    if found["both"] and (gated.family != "length" or gated.quantile is not None):
        raise ValueError(
            f"The margin of '{metric}' says `both`, which is for lengths: more of it is better or "
            "worse."
        )
    size = _DEFAULT_LENGTH if found["size"] is None else float(found["size"])
    _refuse_size(metric, size)
    return Margin(metric, size, bool(found["both"]), given_by=given_by)


def _has_unit(written: object) -> bool:
    found = _WRITTEN.fullmatch(str(written).strip())
    return found is not None and found["unit"] is not None


def _refuse_unit(metric: str, size: str, unit: str | None) -> None:
    right = _unit(measure(metric))
    if unit is None or (unit == "points") == right.endswith("points"):
        return
    raise ValueError(
        f"The margin of '{metric}' is written as '{size} {unit}', and it is in {right}: write "
        f"{size}, or '{size} {right.split()[-1]}'."
    )


def _unit(known: Measure) -> str:
    """Return what a margin is in; its last word may be written behind the number."""
    return "percentage points" if known.unit == "share" else "percent"


def _refuse_size(metric: str, size: float) -> None:
    if size <= 0:
        raise ValueError(
            f"The margin of '{metric}' is {size:g}. It must be above 0: no n shows a difference to "
            "be nothing."
        )
    if math.isinf(size) or (measure(metric).unit == "share" and size >= 100):
        raise ValueError(
            f"The margin of '{metric}' is {size:g}. It must be below what can be lost (100 points "
            "of a share), or nothing could fail."
        )
