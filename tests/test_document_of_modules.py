"""`docs/architecture.md` names every module under the folder it lies in."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the description of every module in the trees of the document.

    A tree is a fenced block; `evals/data/` heads a folder, and lines below it, set in, its modules.
    """
    for block in re.findall(r"^```\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        folder = ""
        for line in block.splitlines():
            if re.fullmatch(r"\w[\w/]*/", line):
                folder = line
            module = re.fullmatch(r"  (\w+\.py) +(\S.*)", line)
            if module and folder:
                yield folder + module[1], module[2]


def modules() -> list[str]:
    """Every module of ours; the sentence about a folder stands in its `__init__.py`."""
    folders = [ROOT / "stagelift" / name for name in ("__main__.py", "testing.py")]
    files = [
        file
        for layer in ("harness", "reports", "stages", "evals")
        for file in (ROOT / layer).rglob("*.py")
        if file.name != "__init__.py"
    ]
    return sorted(file.relative_to(ROOT).as_posix() for file in [*folders, *files])


def test_a_tree_is_read_with_the_folders_of_its_modules() -> None:
    text = "```\nevals/\n  ask.py   asks\nevals/data/\n  ask.py   is asked\n```\n  stray.py  no\n"
    assert list(entries(text)) == [("evals/ask.py", "asks"), ("evals/data/ask.py", "is asked")]


@pytest.mark.parametrize("module", modules())
def test_every_module_stands_under_its_folder(module: str) -> None:
    assert module in dict(entries(TEXT)), f"docs/architecture.md does not say what {module} is"


def test_nothing_else_is_listed_and_nothing_twice() -> None:
    assert sorted(path for path, _ in entries(TEXT)) == modules()
