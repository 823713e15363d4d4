"""README and the pages of docs/: their links, commands and recipes, for the tests of them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [README, *PAGES]
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|(?:src|href)=\"(?P<source>[^\"]+)\"")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
# what ends a command where it stands among others
ENDS = {"|", ">", ">>", "<", "||", "&&", "2>", "2>&1"}


@dataclass(frozen=True)
class Block:
    """A block of a document between two fences."""

    document: Path
    language: str
    content: str

    @property
    def title(self) -> str:
        """Name it by its document and how it begins."""
        return f"{name(self.document)}: {self.content.strip().splitlines()[0][:60]}"


def name(document: Path) -> str:
    """Name a document as it lies in the repository."""
    return document.relative_to(ROOT).as_posix()


def blocks(document: Path) -> list[Block]:
    """List the blocks of a document."""
    found = BLOCK.finditer(document.read_text(encoding="utf-8"))
    return [Block(document, block["language"], block["content"]) for block in found]


def links(document: Path) -> list[str]:
    """List what a document links within the repository."""
    prose = BLOCK.sub("", document.read_text(encoding="utf-8"))
    targets = [link["target"] or link["source"] for link in LINK.finditer(prose)]
    return [target for target in targets if "://" not in target]


def anchors(document: Path) -> set[str]:
    """Name the headings of a document as GitHub does."""
    prose = BLOCK.sub("", document.read_text(encoding="utf-8"))
    shown = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(prose)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in shown}


def commands(document: Path) -> Iterator[list[str]]:
    """Yield the words of every command that stands in a block, as a shell would have them."""
    for block in blocks(document):
        for line in block.content.splitlines():
            written = re.sub(r"^(\$ |\s*- run: )", "", line)
            if re.match(r"(stagelift|make|pytest|python -m) ", written):
                yield _words(written)


def inline_commands(document: Path) -> Iterator[list[str]]:
    """Yield the words of commands within sentences, which may leave something out."""
    prose = BLOCK.sub("", document.read_text(encoding="utf-8"))
    for written in INLINE.findall(prose):
        if re.match(r"(stagelift|make|pytest|python -m) [\w.]", written):
            # a quotation mark may stand alone in what is cut short
            yield written.split() if written.count("'") % 2 else _words(written)


def _words(written: str) -> list[str]:
    words = shlex.split(written, comments=True)
    ends = [place for place, word in enumerate(words) if word in ENDS]
    return words[: min(ends, default=len(words))]
