"""What people write to say that an answer is desirable, or is not."""

from typing import Any

_DESIRABLE = ("true", "yes", "1", "1.0", "+1", "good", "chosen", "desirable", "positive")
_UNDESIRABLE = (
    "false",
    "no",
    "0",
    "0.0",
    "-1",
    "-1.0",
    "bad",
    "rejected",
    "undesirable",
    "negative",
)


def is_plain(value: Any) -> bool:
    """Say whether a label is one that TRL takes: true or false, or 1 or 0."""
    return value in (True, False)


def as_label(value: Any) -> bool:
    """Return a label as true or false. Raises ValueError, with a clause, where it says neither."""
    word = str(value).strip().lower()
    if word in _DESIRABLE:
        return True
    if word in _UNDESIRABLE:
        return False
    raise ValueError(
        f"has {value!r:.60} in column 'label', which must be true or false (or 1 and 0 or -1, good "
        "and bad, chosen and rejected); of a score, say from where on it is true"
    )
