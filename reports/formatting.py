"""Numbers and model text as a reader sees them, the same in every format."""

import unicodedata

from evals.records import Metric
from reports.compare import Comparison

TITLES = {
    "accuracy": ("accuracy", "flexible"),
    "accuracy_strict": ("accuracy", "strict (####)"),
    "accuracy_held_out": ("held-out accuracy", "flexible"),
    "accuracy_strict_held_out": ("held-out accuracy", "strict (####)"),
    "win_rate_base": ("win rate", "against base"),
    "win_rate_previous": ("win rate", "against previous"),
    "length_tokens": ("length", "mean tokens"),
    "truncated": ("cut off", "at the limit"),
}


def value(name: str, metric: Metric) -> str:
    """Write a value with its interval: `52.3% [43.7, 60.8]`, or tokens without the percent sign."""
    if in_tokens(name):
        return f"{metric.value:.1f} [{metric.low:.1f}, {metric.high:.1f}]"
    return f"{100 * metric.value:.1f}% [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"


def value_with_n(name: str, metric: Metric) -> str:
    """Write a value that stands alone, outside a table that says n."""
    return f"{value(name, metric)}, n={metric.n}"


def difference(comparison: Comparison) -> str:
    """Write a difference with its interval, in percentage points or tokens: `+47.7 [+38.1, +57.2]`."""
    scale = 1 if in_tokens(comparison.metric) else 100
    delta, low, high = (_signed(scale * number) for number in (comparison.delta, comparison.low, comparison.high))
    return f"{delta} [{low}, {high}]"


def verdict(comparison: Comparison) -> str:
    """Write a verdict; where no difference was shown, with the smallest one this many problems would likely show."""
    if comparison.verdict != "no difference shown" or comparison.mde is None:
        return comparison.verdict
    scale = 1 if in_tokens(comparison.metric) else 100
    return f"no difference shown\nMDE {scale * comparison.mde:.1f}"


def p_value(p: float) -> str:
    """Write a p value: `p = 0.041`, or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def in_tokens(metric: str) -> bool:
    """Say whether a metric is counted in tokens (the others are shares)."""
    return metric.startswith("length_tokens")


def duration(seconds: float) -> str:
    """Write seconds as `42 s`, `3.1 min` or `2.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def memory(size: int) -> str:
    """Write bytes in GB (10^9)."""
    return f"{size / 1e9:.2f} GB"


def safe_text(text: str) -> str:
    """Drop everything in model output that could act on a terminal or reorder text; keep newlines and tabs."""
    return "".join(
        c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    )


def excerpt(text: str, limit: int = 600) -> str:
    """Return safe text, cut in the middle of nothing: the first `limit` characters and how many are left out."""
    clean = safe_text(text).strip() or "(empty)"
    return clean if len(clean) <= limit else f"{clean[:limit]}... ({len(clean) - limit} more characters)"


def _signed(number: float) -> str:
    return f"{number:+.1f}" if abs(number) >= 0.05 else "0.0"
