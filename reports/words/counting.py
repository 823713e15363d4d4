"""Lists, counts, times and sizes in words; the numbers of metrics are those of `formatting`."""

from collections.abc import Sequence


def listed(words: Sequence[str], last: str = "and") -> str:
    """Write a list as a sentence has it: `a, b and c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def number_of(count: int, what: str) -> str:
    """Write how many there are of something: `1 model`, `2 models`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write seconds as `42 s`, `3.1 min` or `2.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def memory(size: int) -> str:
    """Write bytes in GB (10^9)."""
    return f"{size / 1e9:.2f} GB"
