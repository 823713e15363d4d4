"""`docs/architecture.md` draws the arrows that the architecture test holds."""

import itertools
import re
from pathlib import Path

import pytest

from tests.test_architecture import ARROWS, EVERYONE_MAY_IMPORT, LAYERS

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "architecture.md").read_text("utf-8")


def arrows(text: str) -> set[tuple[str, str]]:
    """Return who may import whom directly, of chains such as `a -> b, c -> d; a -> e`."""
    pairs = set()
    for chain in text.split(";"):
        steps = [[name.strip() for name in step.split(",")] for step in chain.split("->")]
        for above, below in itertools.pairwise(steps):
            pairs |= set(itertools.product(above, below))
    return pairs


def drawn(layer: str) -> str:
    """Return the chains that the document draws of a layer, a line of it being chains, too."""
    (block,) = re.findall(r"Inside a layer .*?\n```\n(.*?)```", TEXT, flags=re.DOTALL)
    lines: dict[str, list[str]] = {}
    name = ""
    for line in block.splitlines():
        name = line[:10].strip() or name
        lines.setdefault(name, []).append(line[10:])
    return ";".join(lines[layer])


@pytest.mark.parametrize("layer", LAYERS)
def test_the_document_draws_the_arrows_that_hold(layer: str) -> None:
    everyone = {("everything", room) for room in EVERYONE_MAY_IMPORT.get(layer, ())}
    assert arrows(drawn(layer)) == arrows(ARROWS[layer]) | everyone
