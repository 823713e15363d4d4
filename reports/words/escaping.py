"""Text from files and models as Markdown shows it: escaped in a line, fenced so that it cannot end
its block, without folders.
"""

import html
import json
import re
from collections.abc import Sequence

import yaml

from stagelift.evals.printed import safe_text

# where a path begins: file:///, C:\, ~, ./, ../, \\server\ or /
_START = r"(?:file:/{0,2}|[A-Za-z]:|~[^\s/\\]*|\.{1,2}|\\)?[/\\]"
_FOLDERS = re.compile(rf"(?<![\w./\\]){_START}(?:(?:(?!@https?:)[^\s/\\])+[/\\]+)+")
# an address has a scheme: two slashes, which begin no path
_PATH = re.compile(
    r"(?P<prefix>[A-Za-z][\w.-]+:)??(?P<path>(?:(?<=file:)//|[A-Za-z]:|~[^\s/\\]*|\.{1,2}|\\)?[/\\]"
    r"(?!/)[^\n]*)"
)


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
    """Cut paths in a text down to their last part: `/home/me/judge` becomes `.../judge`.

    Addresses stay as they are. A folder with a space in its name is known by `last_part` only.
    """
    return _FOLDERS.sub(".../", text)


def last_part(value: str) -> str:
    """Cut a value that is a path, maybe behind a prefix as in `reward-model:/a/b`, down to its last
    part, and the paths in one that is not.
    """
    path, at, server = value.partition("@http")
    found = _PATH.fullmatch(path)
    if found is None:
        return without_folders(value)
    *folders, last = re.split(r"[/\\]+", found["path"].rstrip("/\\"))
    if not any(folder not in ("", ".", "..") for folder in folders):
        return value
    prefix = found["prefix"] or ""
    return f"{'' if prefix == 'file:' else prefix}.../{last}{at}{server}"


def yaml_without_folders(text: str) -> str:
    """Cut every path in YAML down to its last part, whatever its folders are called."""
    try:
        values = _values(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        values = []
    # of text over several lines only the paths in it are cut, below
    for value in reversed([value for value in values if value.style not in ("|", ">")]):
        short = last_part(value.value)
        if short != value.value:
            written = short if re.fullmatch(r"[\w./-]+", short) else json.dumps(short)
            text = text[: value.start_mark.index] + written + text[value.end_mark.index :]
    return without_folders(text)


def _values(node: yaml.Node | None) -> list[yaml.ScalarNode]:
    """Return the values of a YAML document in their order, keys too; an alias only once."""
    match node:
        case yaml.ScalarNode():
            return [node]
        case yaml.SequenceNode():
            parts = list(node.value)
        case yaml.MappingNode():
            parts = [part for pair in node.value for part in pair]
        case _:
            return []
    found = {value.start_mark.index: value for part in parts for value in _values(part)}
    return [found[start] for start in sorted(found)]
