"""Numbers and model text as a reader sees them, the same in every format."""

from stagelift.evals.metrics.measures import Unit, measure
from stagelift.evals.records import Metric
from stagelift.reports.numbers.compare import Comparison

# behind a verdict that is not of the headline family
OTHER_FAMILY = "†"
# how many decimals a unit is written with; shares are written in percent
_DECIMALS: dict[Unit, int] = {
    "share": 1,
    "tokens": 1,
    "characters": 1,
    "points": 1,
    "seconds": 3,
    "bits": 3,
}
_UNITS: dict[Unit, str] = {
    "share": " points",
    "tokens": " tokens",
    "characters": " characters",
    "bits": " bits per byte",
}


def full_title(name: str) -> str:
    """Return what a metric is called and how it was read: `win rate against base`."""
    known = measure(name)
    return f"{known.title} {known.reading}"


def short_title(name: str) -> str:
    """Return what a metric is called where there is little room; of a task, which may have several,
    and of a win rate with how it was read: `arc_easy acc_norm`.
    """
    known = measure(name)
    return full_title(name) if known.family in ("lm-eval task", "win rate") else known.title


def value(name: str, metric: Metric) -> str:
    """Write a value with its interval: `52.3% [43.7, 60.8]`, lengths without the percent sign."""
    return f"{point(name, metric)} {interval(name, metric)}".rstrip()


def share(metric: Metric) -> str:
    """Write a share that is no metric of a model, such as how often a judge agrees, as `value`
    does.
    """
    return f"{_plain('share', metric.value)} {_interval('share', metric.low, metric.high)}"


def share_with_n(metric: Metric) -> str:
    """Write such a share where it stands alone."""
    return f"{share(metric)}, n={metric.n}"


def point(name: str, metric: Metric) -> str:
    """Write a value alone, for where its interval stands beside it: `52.3%`."""
    return plain(name, metric.value)


def plain(name: str, number: float) -> str:
    """Write a number of a metric with its unit: `52.3%`, `0.840 s`; tokens, characters and points
    are what the title says.
    """
    return _plain(measure(name).unit, number)


def interval(name: str, metric: Metric) -> str:
    """Write a value's interval: `[43.7, 60.8]`; "" where it has none."""
    return plain_interval(name, metric.low, metric.high) if has_interval(name, metric) else ""


def has_interval(name: str, metric: Metric) -> bool:
    """Say whether a value has an interval: of a mean of one value nothing says how it spreads."""
    return measure(name).bounds is not None or (metric.clusters or metric.n) > 1


def plain_interval(name: str, low: float, high: float) -> str:
    """Write the ends of an interval of a metric's values: `[43.7, 60.8]`."""
    return _interval(measure(name).unit, low, high)


def value_with_n(name: str, metric: Metric) -> str:
    """Write a value that stands alone, outside a table that says n."""
    return f"{value(name, metric)}, n={metric.n}"


def counted(n: str | int, clusters: int) -> str:
    """Write how many prompts, and in how many clusters where they come in any."""
    return f"n={n} in {clusters} clusters" if clusters else f"n={n}"


def difference(comparison: Comparison) -> tuple[str, str]:
    """Write a difference and its interval, in percentage points or the metric's unit: `+47.7` and
    `[+38.1, +57.2]`.
    """
    return change(comparison.metric, comparison.delta), change_interval(
        comparison.metric, comparison.low, comparison.high
    )


def change(metric: str, delta: float) -> str:
    """Write a difference alone, in percentage points or the metric's unit: `+47.7`."""
    unit = measure(metric).unit
    return signed(_scaled(unit, delta), _DECIMALS[unit])


def change_interval(metric: str, low: float, high: float) -> str:
    """Write a difference's interval: `[+38.1, +57.2]`.

    Where it leaves out zero by less than is written, the end next to it has a digit more: `[+0.04,
    +5.1]`; by less than that too, it keeps its sign.
    """
    first = _apart_from_zero(metric, low) if low > 0 else change(metric, low)
    last = _apart_from_zero(metric, high) if high < 0 else change(metric, high)
    return f"[{first}, {last}]"


def _apart_from_zero(metric: str, end: float) -> str:
    """Write an end of an interval that leaves out zero so that it does not look like zero."""
    unit = measure(metric).unit
    number, decimals = _scaled(unit, end), _DECIMALS[unit]
    if abs(number) < 0.5 * 10**-decimals:
        decimals += 1
    return f"{number:+.{decimals}f}"


def change_with_interval(metric: str, delta: float, low: float, high: float) -> str:
    """Write a difference and its interval as a sentence has them: `+47.7 [+38.1, +57.2]`."""
    return f"{change(metric, delta)} {change_interval(metric, low, high)}"


def unit_of(name: str) -> str:
    """Return what a metric's differences are in, as it stands after a number; "" where they are of
    no unit.
    """
    return _UNITS.get(measure(name).unit, "")


def size(metric: str, amount: float) -> str:
    """Write an amount that has no sign, such as a spread, in percentage points or the metric's
    unit.
    """
    return _number(measure(metric).unit, amount)


def verdict(comparison: Comparison) -> str:
    """Write a verdict in a few words.

    Against a reference from elsewhere nothing improved: a win rate is above one half. Between two
    stages it is a metric like others.
    """
    if comparison.verdict == "not after Holm":
        return not_after_holm(comparison.p, comparison.p_adjusted)
    if measure(comparison.metric).against != "reference" or comparison.against != "reference":
        return comparison.verdict
    beside_a_reference = {"improved": "above one half", "regressed": "below one half"}
    return beside_a_reference.get(comparison.verdict, comparison.verdict)


def not_after_holm(p: float, p_adjusted: float | None) -> str:
    """Write the verdict that a family of tests took away, with both p values."""
    if p_adjusted is None:
        return "not after Holm"
    return f"not after Holm ({p_value(p)}, adjusted {p_value(p_adjusted)})"


def verdict_notes(comparison: Comparison) -> list[str]:
    """Say what belongs to a verdict: where no difference was shown, what this n and which n would
    likely show.

    A length has its ratio beside it, which says more than tokens where lengths are skewed.
    """
    notes = []
    if comparison.verdict in ("no difference shown", "not after Holm"):
        notes.append(planned(comparison.metric, comparison.mde, comparison.needed))
    if (ratio := comparison.ratio) is not None:
        # equal ratios show no spread to take an interval from
        interval = f" [{ratio.low:.2f}, {ratio.high:.2f}]" if ratio.low < ratio.high else ""
        notes.append(f"× {ratio.value:.2f}{interval}")
    return notes


def planned(metric: str, mde: float | None, needed: int | None) -> str:
    """Say what a verdict could have shown, and how many prompts it would take."""
    if mde is None:
        return "too few to show any"
    if needed is None:
        return f"MDE {size(metric, mde)}"
    return f"MDE {size(metric, mde)}, n needed {_many(needed)}"


def _many(count: int) -> str:
    """Write a number of prompts; of what nobody will collect the size is enough."""
    return f"{count:,}" if count < 1_000_000 else "over a million"


def p_value(p: float) -> str:
    """Write a p value: `p = 0.041`, or `p < 0.001`; next to 0.05 with a digit more."""
    if p < 0.001:
        return "p < 0.001"
    written = f"{p:.3f}"
    return f"p = {p:.4f}" if written == "0.050" else f"p = {written}"


def signed(number: float, decimals: int = 1) -> str:
    """Write a number with its sign, to one decimal unless said; what rounds to nothing has none."""
    if abs(number) < 0.5 * 10**-decimals:
        return f"{0:.{decimals}f}"
    return f"{number:+.{decimals}f}"


def _scaled(unit: Unit, number: float) -> float:
    return 100 * number if unit == "share" else number


def _number(unit: Unit, number: float) -> str:
    return f"{_scaled(unit, number):.{_DECIMALS[unit]}f}"


def _plain(unit: Unit, number: float) -> str:
    suffix = {"share": "%", "seconds": " s"}.get(unit, "")
    return f"{_number(unit, number)}{suffix}"


def _interval(unit: Unit, low: float, high: float) -> str:
    return f"[{_number(unit, low)}, {_number(unit, high)}]"
