"""Text of models, files and names as it may be printed: nothing in it acts on who shows it."""

import re
import unicodedata

# what runners of CI take for a command: not the `####` of an answer
_COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")


def safe_text(text: str) -> str:
    """Drop everything in model output that could act on a terminal or reorder text; keep newlines
    and tabs.
    """
    return "".join(
        c
        for c in text
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    )


def one_line(text: str) -> str:
    """Return safe text as one line that no log acts on: GitHub's runner takes `::error::` at a
    line's start and `##[error]` anywhere for commands, Azure's `##vso[...]`.
    """
    # the last two of every plane are no characters, and XML has no place for them
    shown = "".join(c for c in safe_text(text) if ord(c) & 0xFFFE != 0xFFFE)
    return _COMMAND.sub("# #", " ".join(shown.split()).replace("::", ": :"))


def excerpt(text: str, limit: int = 600) -> str:
    """Return safe text, cut in the middle of nothing: the first `limit` characters and how many are
    left out.
    """
    clean = safe_text(text).strip() or "(empty)"
    if len(clean) <= limit:
        return clean
    return f"{clean[:limit]}... ({len(clean) - limit} more characters)"
