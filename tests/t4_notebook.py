"""docs/t4.ipynb: the tutorial for a T4 with its commands as cells.

To write it anew after a change of docs/tutorial-t4.md:

python -m tests.t4_notebook
"""

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOK = DOCS / "t4.ipynb"
BLOCK = re.compile(r"^```\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def notebook() -> str:
    """Write the notebook: text between blocks is text, each command a line of a cell."""
    parts = BLOCK.split((DOCS / "tutorial-t4.md").read_text(encoding="utf-8"))
    cells = [_code(part) if place % 2 else _text(part) for place, part in enumerate(parts)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    numbered = [{"id": f"cell-{place}", **cell} for place, cell in enumerate(cells)]
    content = {
        "cells": numbered,
        "metadata": {"accelerator": "GPU", "kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return f"{json.dumps(content, indent=1, ensure_ascii=False)}\n"


def _text(part: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": part.strip()}


def _code(part: str) -> dict[str, Any]:
    commands = "\n".join(f"!{line}" for line in part.splitlines())
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": commands,
    }


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(), encoding="utf-8")
