"""What must hold of an output whatever was in the records: for each kind of reader a check."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

# controls, bidirectional and invisible formats, surrogates, what is never exchanged
ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
# GitHub looks for these in what it rendered, outside of code; our own ids have 16 digits
REFERENCE = re.compile(
    r"(?<![\w/])@[a-z0-9]|\w@\w+\.\w|(?<!\w)#\d|\bGH-\d|://|\bwww\."
    r"|\b(?![0-9a-f]{16}\b)[0-9a-f]{7,40}\b"
    r"|:(?=[\d_+-]*[a-z])[\w+-]+:|:[+-]1:|\$.*\$",
    re.IGNORECASE,
)
OURS = {
    *("table", "thead", "tbody", "tr", "th", "td", "p", "h1", "h2", "h3", "ul", "ol", "li"),
    *("strong", "code", "pre", "br", "details", "summary", "span", "a", "div", "img"),
}


def assert_printable(text: str) -> None:
    """No character acts on a terminal, and no line on a runner's log."""
    found = ACTING.search(text)
    assert found is None, ascii(text[max(0, found.start() - 40) : found.end() + 20])
    command = COMMAND.search(text)
    assert command is None, text[max(0, command.start() - 40) : command.end() + 40]


def assert_markdown(text: str, links: tuple[str, ...] = ()) -> None:
    """GitHub would show it as text: no link or picture but `links`, no mention, no HTML but ours,
    and tables keep their cells.
    """
    assert_printable(text)
    read = _Rendered()
    options = Options.CMARK_OPT_UNSAFE
    read.feed(cmarkgfm.github_flavored_markdown_to_html(_without_front_matter(text), options))
    assert set(read.tags) <= OURS, set(read.tags) - OURS
    assert all(link.startswith(links) for link in read.links), read.links
    assert read.attributes <= {"align", "href", "lang", "src", "alt"}, read.attributes
    for words in read.words:
        found = REFERENCE.search(words)
        assert found is None, words[max(0, found.start() - 40) : found.end() + 40]
    _assert_tables(text)


def assert_json(text: str) -> None:
    assert_printable(text)
    json.loads(text)


def assert_csv(text: str) -> None:
    """Every row has the same cells, and none is a formula."""
    assert_printable(text)
    head, *rows = csv.reader(io.StringIO(text))
    for row in rows:
        assert len(row) == len(head)
        # of what begins like a formula only numbers are there
        assert all(map(float, [cell for cell in row if cell.startswith(("=", "+", "-", "@"))]))


def assert_latex(text: str) -> None:
    assert_printable(text)
    assert text.isascii() and "\\input" not in text
    # of what begins a comment, a formula or another cell only ours is not escaped
    lines = text.splitlines()
    columns = {line.replace(r"\&", "").count("&") for line in lines if line.endswith(r" \\")}
    assert len(columns) >= 1 and not any("%" in line.replace(r"\%", "") for line in lines[1:])


def assert_page(text: str) -> None:
    """No element, attribute or script is there but those of the template."""
    assert_printable(text.replace("::", ": :"))
    read = _Rendered()
    read.feed(text)
    scripted = {name for name in read.attributes if name.startswith("on") or name == "style"}
    assert not scripted, scripted
    for tag in ("iframe", "img", "form action", "base", "object", "embed", "svg onload"):
        assert tag not in read.tags, tag
    assert all(link.startswith(("#", "data:")) for link in read.links), read.links


class _Rendered(HTMLParser):
    """The tags, links and attributes of a page, and its words that stand in no code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]
        if tag not in ("br", "meta", "link", "input"):
            self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"code", "pre", "a", "script", "style"} & set(self.within):
            self.words.append(data)


def _without_front_matter(text: str) -> str:
    """Leave out a card's YAML, which no Markdown is read in."""
    return text.split("\n---\n", 1)[1] if text.startswith("---\n") else text


def _assert_tables(text: str) -> None:
    """Every line of a table has as many cells as the one above it."""
    counts: list[int] = []
    is_code = False
    for line in text.splitlines():
        if re.match(r"\s*(`{3,})", line):
            is_code = not is_code
        if line.startswith("| ") and not is_code:
            counts.append(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)))
            assert counts[-1] == counts[0], line
        else:
            counts = []
