"""Text from files and models as Markdown shows it: escaped in a line, fenced so that it cannot end
its block, without folders.
"""

import html
import json
import re
from collections.abc import Sequence

import yaml

from stagelift.evals.printed import flat, safe_text, without_commands

# where a path begins: file:///, C:\, ~, ./, ../, \\server\ or /
_START = r"(?:file:/{0,2}|[A-Za-z]:|(?<!~)~[^\s/\\]{0,64}|\.{1,2}|\\)?[/\\]"
_FOLDERS = re.compile(rf"(?<![\w./\\]){_START}(?:(?:(?!@https?:)[^\s/\\])+[/\\]+)+")
# an address has a scheme: two slashes, which begin no path
_PATH = re.compile(
    r"(?P<prefix>[A-Za-z][\w.-]+:)??(?P<path>(?:(?<=file:)//|[A-Za-z]:|~[^\s/\\]*|\.{1,2}|\\)?[/\\]"
    r"(?!/)[^\n]*)"
)


# a zero-width space, as an entity that a reader of the source can see
_BREAK = "&#8203;"
# GitHub and the Hub link these wherever they stand, escaped or not: mentions and addresses, numbers
# of issues, URLs; words in colons become emoji. Its letters are those of ASCII
_LINKED = re.compile(
    r"(?P<before>(?<![a-z0-9_])@(?=\w)|@(?=[\w-]{1,255}\.\w|[0-9a-f]{7})|#(?=\d)"
    r"|(?<![a-z0-9])(?:(?:GH|GHSA|CVE)-(?=\w)|www(?=\.))|[a-z0-9]:(?=//)"
    r"|:(?=(?=[\d_+-]{0,80}[a-z])[\w+-]{1,80}:|100:|1234:|[+-]1:))",
    re.IGNORECASE | re.ASCII,
)
# GitHub links what may be a commit, but not in code; our own ids have 16 digits, a number or a word
# is none
_COMMIT = re.compile(
    r"(?<![\w/.-])(?![0-9a-f]{16}(?!\w))"
    r"(?:[0-9a-f]{40}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,39})(?![\w/.-])",
    re.ASCII,
)
_MARKUP = re.compile(r"[\\`*_\[\]<>|#~&]")
# what at a line's start begins a list, ends a section or makes a heading of the line before
_BEGINNING = re.compile(r"^(\d{0,9})([-+=.)])(?=[-+=\s]|$)")


def inline(text: str) -> str:
    """Escape what Markdown, HTML or a table would act on, and break what would become a link."""
    return _unlinked(_MARKUP.sub(r"\\\g<0>", flat(text)), r"`\g<0>`")


def paragraph(text: str) -> str:
    """Escape a text that begins a line, which makes no list, heading or rule, and no command."""
    return without_commands(_BEGINNING.sub(r"\1\\\2", inline(text)))


def _unlinked(text: str, commit: str) -> str:
    """Break what GitHub links or typesets in Markdown and in HTML, whatever is escaped in it."""
    # its own way to write a dollar that begins no formula
    plain = text.replace("$", "<span>$</span>")
    return _COMMIT.sub(commit, _LINKED.sub(rf"\g<before>{_BREAK}", plain))


def fenced(text: str, language: str = "text") -> str:
    """Fence with more backticks than the text has in a row, so that nothing in it can end the
    block.
    """
    shown = without_commands(safe_text(text))
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def folded(title: str, text: str) -> str:
    """Fold Markdown away below a title, in which GitHub reads no Markdown but HTML."""
    summary = _unlinked(page_text(" ".join(title.split())), r"<code>\g<0></code>")
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def page_text(text: str) -> str:
    """Escape a text for HTML, in which it is a text and no more, in a log that shows it too."""
    return html.escape(without_commands(safe_text(text)))


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
