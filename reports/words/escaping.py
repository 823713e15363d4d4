"""Text from files and models as Markdown shows it: escaped in a line, fenced so that it cannot end
its block, without folders.
"""

import html
import re
from collections.abc import Sequence

from stagelift.reports.words.formatting import safe_text


def inline(text: str) -> str:
    """Escape what Markdown, HTML or a table would act on."""
    flat = " ".join(safe_text(text).split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", flat)


def fenced(text: str, language: str = "text") -> str:
    """Fence with more backticks than the text has in a row, so that nothing in it can end the
    block.
    """
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def folded(title: str, text: str) -> str:
    """Fold Markdown away below a title, in which GitHub reads no Markdown but HTML."""
    summary = html.escape(" ".join(safe_text(title).split()))
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def table_line(cells: Sequence[str]) -> str:
    """Write a line of a table, of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def without_folders(text: str) -> str:
    """Cut absolute paths down to their last part: `/home/me/judge` becomes `.../judge`.

    Addresses stay as they are.
    """
    return re.sub(r"(?<![\w./\\])(?:[A-Za-z]:|~)?[/\\](?:[^\s/\\@]+[/\\])+", ".../", text)
