"""The site of these pages: `make docs` builds it into docs/_build."""

import re
from typing import Any

project = "stagelift"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "stagelift"
exclude_patterns = ["_build"]
# links to headings, named as GitHub names them
myst_heading_anchors = 4
# a report's headings stand in its folds, a level below
suppress_warnings = ["myst.header"]
# blocks that name no language are shown as they are
highlight_language = "none"


def setup(app: Any) -> None:
    """Change the pages as they are read: on GitHub they stand as they are."""
    app.connect("source-read", _as_site)


def _as_site(_app: Any, page: str, source: list[str]) -> None:
    # files beside docs/ are no part of the site: of a link to one its text stays
    outside = re.escape("../" * (page.count("/") + 1))
    source[0] = re.sub(rf"\[([^\]]*)\]\({outside}[^)]*\)", r"\1", source[0])
    if page == "index":
        source[0] += _contents(source[0])


def _contents(index: str) -> str:
    """Write the sidebar: the pages that each part of the index links."""
    parts = re.split(r"^## ", index, flags=re.MULTILINE)[1:]
    return "\n".join(_part(part) for part in parts)


def _part(text: str) -> str:
    title, _, body = text.partition("\n")
    pages = "\n".join(re.findall(r"\]\(([\w./-]+)\.md\)", body))
    return f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```\n"
