"""Numbers and model text as a reader sees them, the same in every format."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from stagelift.evals.records import Metric
from stagelift.reports.numbers.compare import Comparison

TITLES = {
    "accuracy": ("accuracy", "numeric"),
    "accuracy_strict": ("accuracy", "strict (####)"),
    "accuracy_flexible": ("accuracy", "flexible"),
    "accuracy_held_out": ("held-out accuracy", "numeric"),
    "accuracy_strict_held_out": ("held-out accuracy", "strict (####)"),
    "accuracy_flexible_held_out": ("held-out accuracy", "flexible"),
    "win_rate": ("win rate", "against the reference"),
    "win_rate_lc": ("win rate, equal lengths", "against the reference"),
    "win_rate_base": ("win rate", "against base"),
    "win_rate_lc_base": ("win rate, equal lengths", "against base"),
    "win_rate_previous": ("win rate", "against previous"),
    "win_rate_lc_previous": ("win rate, equal lengths", "against previous"),
    "win_rate_preference": ("win rate on prompts", "against the reference"),
    "win_rate_lc_preference": ("same, equal lengths", "against the reference"),
    "win_rate_base_preference": ("win rate on prompts", "against base"),
    "win_rate_lc_base_preference": ("same, equal lengths", "against base"),
    "win_rate_previous_preference": ("win rate on prompts", "against previous"),
    "win_rate_lc_previous_preference": ("same, equal lengths", "against previous"),
    "preference_accuracy": ("preference accuracy", "held-out pairs"),
    "preference_accuracy_per_token": ("preference accuracy", "per token"),
    "length_tokens": ("length", "mean tokens"),
    "length_chars": ("length", "mean characters"),
    "truncated": ("cut off", "at the limit"),
    "length_tokens_preference": ("length on prompts", "mean tokens"),
    "length_chars_preference": ("length on prompts", "mean characters"),
    "truncated_preference": ("cut off on prompts", "at the limit"),
}
# words in names of lm-eval's metrics that are shares
_SHARES = {
    "acc",
    "em",
    "match",
    "f1",
    "pass@1",
    "accuracy",
    "rate",
}


def title(name: str) -> tuple[str, str]:
    """Return what a metric is called and how it was read: ours from the list, lm-eval's as `task`
    and `metric`.
    """
    if name in TITLES:
        return TITLES[name]
    if name.startswith("pass@"):
        k, _, group = name.partition("_")
        return ("held-out " if group else "") + k, "solved by one of k samples"
    task, _, metric = name.rpartition("/")
    return task, f"lm-eval, {metric}"


def ordered(names: Iterable[str]) -> list[str]:
    """Put metrics in the order of a report: accuracy, pass@k, preferences, lengths, then lm-eval's
    tasks.
    """
    known = list(TITLES)
    last_accuracy = known.index("accuracy_flexible_held_out")

    def place(name: str) -> tuple[int, int, str]:
        if name in TITLES:
            return (0 if known.index(name) <= last_accuracy else 2), known.index(name), ""
        return (
            (1, int(name.removeprefix("pass@").partition("_")[0]), name)
            if name.startswith("pass@")
            else (3, 0, name)
        )

    return sorted(set(names), key=place)


def value(name: str, metric: Metric) -> str:
    """Write a value with its interval: `52.3% [43.7, 60.8]`, or what is no share without the
    percent sign.
    """
    return f"{point(name, metric)} {interval(name, metric)}"


def point(name: str, metric: Metric) -> str:
    """Write a value alone, for where its interval stands beside it: `52.3%`."""
    return plain(name, metric.value)


def plain(name: str, number: float) -> str:
    """Write a number of a metric: `52.3%`, or what is no share without the percent sign."""
    return f"{100 * number:.1f}%" if is_share(name) else f"{number:.1f}"


def interval(name: str, metric: Metric) -> str:
    """Write a value's interval: `[43.7, 60.8]`."""
    return plain_interval(name, metric.low, metric.high)


def plain_interval(name: str, low: float, high: float) -> str:
    """Write the ends of an interval of a metric's values: `[43.7, 60.8]`."""
    return f"[{_scale(name) * low:.1f}, {_scale(name) * high:.1f}]"


def value_with_n(name: str, metric: Metric) -> str:
    """Write a value that stands alone, outside a table that says n."""
    return f"{value(name, metric)}, n={metric.n}"


def difference(comparison: Comparison) -> tuple[str, str]:
    """Write a difference and its interval, in percentage points or tokens: `+47.7` and `[+38.1,
    +57.2]`.
    """
    return change(comparison.metric, comparison.delta), change_interval(
        comparison.metric, comparison.low, comparison.high
    )


def change(metric: str, delta: float) -> str:
    """Write a difference alone, in percentage points or tokens: `+47.7`."""
    return signed(_scale(metric) * delta)


def change_interval(metric: str, low: float, high: float) -> str:
    """Write a difference's interval: `[+38.1, +57.2]`."""
    return f"[{change(metric, low)}, {change(metric, high)}]"


def size(metric: str, amount: float) -> str:
    """Write an amount that has no sign, such as a spread, in percentage points or tokens."""
    return f"{_scale(metric) * amount:.1f}"


def verdict(comparison: Comparison) -> str:
    """Write a verdict as a word or three.

    Against a reference from elsewhere nothing improved: a win rate is above one half.
    """
    beside_a_reference = {"improved": "above one half", "regressed": "below one half"}
    is_beside = comparison.metric.startswith("win_rate") and not {"base", "previous"} & {
        *comparison.metric.split("_")
    }
    words = beside_a_reference if is_beside else {}
    return words.get(comparison.verdict, comparison.verdict)


def verdict_notes(comparison: Comparison) -> list[str]:
    """Say what belongs to a verdict: where no difference was shown, what this n and which n would
    likely show.

    A length has its ratio beside it, which says more than tokens where lengths are skewed.
    """
    notes = []
    if comparison.verdict == "no difference shown" and comparison.mde is not None:
        needed = "" if comparison.needed is None else f", n needed {_many(comparison.needed)}"
        notes.append(f"MDE {_scale(comparison.metric) * comparison.mde:.1f}{needed}")
    if (ratio := comparison.ratio) is not None:
        notes.append(f"× {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]")
    return notes


def _many(count: int) -> str:
    """Write a number of prompts; of what nobody will collect the size is enough."""
    return f"{count:,}" if count < 1_000_000 else "over a million"


def p_value(p: float) -> str:
    """Write a p value: `p = 0.041`, or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Write a list as a sentence has it: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def is_share(metric: str) -> bool:
    """Say whether a metric is a share, written in percent: ours are, but for lengths.

    Of lm-eval's, those known to be.
    """
    if not is_task(metric):
        return not metric.startswith("length_")
    words = re.split(r"[_-]", metric.rpartition("/")[2].partition(",")[0])
    return bool(_SHARES & set(words))


def is_task(metric: str) -> bool:
    """Say whether a metric is one of an lm-eval task: `task/metric,filter`."""
    return "/" in metric


def is_quantile(metric: str) -> bool:
    """Say whether a metric is a quantile of a length, which is shown beside the mean."""
    return metric.removesuffix("_preference").endswith(("_median", "_p90"))


def duration(seconds: float) -> str:
    """Write seconds as `42 s`, `3.1 min` or `2.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def memory(size: int) -> str:
    """Write bytes in GB (10^9)."""
    return f"{size / 1e9:.2f} GB"


def safe_text(text: str) -> str:
    """Drop everything in model output that could act on a terminal or reorder text; keep newlines
    and tabs.
    """
    return "".join(
        c
        for c in text
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    )


def excerpt(text: str, limit: int = 600) -> str:
    """Return safe text, cut in the middle of nothing: the first `limit` characters and how many are
    left out.
    """
    clean = safe_text(text).strip() or "(empty)"
    return (
        clean
        if len(clean) <= limit
        else f"{clean[:limit]}... ({len(clean) - limit} more characters)"
    )


def signed(number: float) -> str:
    """Write a number with its sign and one decimal; what rounds to nothing has none."""
    return f"{number:+.1f}" if abs(number) >= 0.05 else "0.0"


def _scale(name: str) -> int:
    return 100 if is_share(name) else 1
