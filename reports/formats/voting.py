"""The page on which people vote, pair by pair, without knowing which model wrote what.

Everything is in the page, nothing comes from the network, and nothing in it says which response is
whose. What it exports is read by `stagelift vote --import`.
"""

import hashlib
from collections.abc import Sequence

from markupsafe import Markup

from stagelift.evals.printed import safe_text
from stagelift.evals.votes.draw import ShownPair
from stagelift.reports.formats.explorer import json_text
from stagelift.reports.formats.page import (
    LARGEST,
    page_policy,
    page_script,
    page_source,
    page_template,
)

# characters of a text that are shown: nobody who votes reads on
LONGEST = 100_000


def render_voting(pairs: Sequence[ShownPair], seed: int) -> str:
    """Return a page for these pairs, in this order; `seed` is that of the order.

    Raises ValueError where it would be larger than LARGEST.
    """
    style = page_source("report.css", "vote.css")
    script = page_script("page.js", "vote.js")
    html = page_template("vote.html").render(
        count=len(pairs),
        ballot=Markup(json_text(_ballot(pairs, seed))),
        policy=Markup(page_policy(script, style)),
        style=Markup(style),
        script=Markup(script),
    )
    size = len(html.encode())
    if size > LARGEST:
        raise ValueError(
            f"A page with {len(pairs)} pairs would have {size / 1e6:.0f} MB, more than "
            f"{LARGEST / 1e6:.0f} MB. Ask for fewer with --pairs."
        )
    return html


def _ballot(pairs: Sequence[ShownPair], seed: int) -> dict[str, object]:
    names = [pair.name for pair in pairs]
    return {
        "page": hashlib.sha256("\n".join([str(seed), *names]).encode()).hexdigest(),
        "seed": seed,
        "pairs": [
            [name, _shown(pair.prompt), _shown(pair.left), _shown(pair.right)]
            for name, pair in zip(names, pairs, strict=True)
        ],
    }


def _shown(text: str) -> tuple[str, int]:
    """Return the start of a text as it can be shown, and how many characters are left out."""
    return safe_text(text[:LONGEST]), max(0, len(text) - LONGEST)
