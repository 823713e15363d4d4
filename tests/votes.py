"""A run with judged pairs, a page's ballot, and voters who know what they want."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from stagelift.harness.cli import app

# what a voter says of two texts, left and right
Taste = Callable[[str, str], str]
VOTER = "0123456789abcdef"


def import_run(
    folder: Path, prompts: int = 60, *, padding: str = "", words: int | None = None
) -> Path:
    """Import a run of base, sft and dpo; the reference judge prefers a right and short answer.

    Of every third prompt all responses are the same, and each stage's own name is in the others.
    After `words` prompts, a multiple of 15, the same ones come again under other ids.
    """
    rows = []
    for stage in ("base", "sft", "dpo"):
        for number in range(prompts):
            same = number % 3 == 0
            right = same or (number % 5 < {"base": 1, "sft": 2, "dpo": 4}[stage])
            text = f"It is 4. #### {4 if right else 5}"
            rows.append(
                {
                    "id": f"p/{number}",
                    "prompt": f"What is 2 + 2, for the time {number % (words or prompts)}?",
                    "response": text if same else f"{text} by model {stage}{padding}",
                    "target": "4",
                    "stage": stage,
                }
            )
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    ran = typed("import", str(file), "--as", "responses", "--name", "mine", runs=folder)
    assert ran.exit_code == 0, ran.output
    return folder / "runs" / "mine"


def typed(*words: str, runs: Path) -> Any:
    """Run a command on the runs of a folder."""
    return CliRunner().invoke(app, [*words, "--runs", str(runs / "runs")])


def ballot(page: str) -> dict[str, Any]:
    """Return what a page asks, as its script reads it."""
    found = re.search(r'<script type="application/json" id="ballot">(.*?)</script>', page)
    assert found is not None
    asked: dict[str, Any] = json.loads(found[1])
    return asked


def exported(page: str, taste: Taste, *, count: int | None = None, voter: str = VOTER) -> Any:
    """Vote on the first `count` pairs of a page, and export as it does."""
    asked = ballot(page)
    return {
        "format": "stagelift-votes-1",
        "page": asked["page"],
        "seed": asked["seed"],
        "voter": voter,
        "votes": [
            {"pair": name, "choice": taste(left[0], right[0])}
            for name, _, left, right in asked["pairs"][:count]
        ],
    }


def for_stage(stage: str) -> Taste:
    """Prefer the response with a stage's name in it."""
    return lambda left, _: "left" if left.endswith(f"by model {stage}") else "right"
