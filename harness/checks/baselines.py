"""Blessed baselines: a stage's scores, and the gates that it declares, as a small file that a
repository can carry.

Every one that was blessed before is kept:

baselines/<name>/0001.json 0002.json ...    the last one counts

Its hash shows that a file was edited or merged wrongly. It is no signature: who can write the file
can write the hash.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from stagelift.evals.files import write_text
from stagelift.evals.records import Record
from stagelift.evals.strict_json import read_json
from stagelift.harness.errors import UsageError, as_usage_errors
from stagelift.harness.recipes.sections import check_folder_name
from stagelift.reports.gates.margins import TIERS, Margin
from stagelift.reports.gates.scores import EARLIER, StageScores
from stagelift.reports.gates.sound import refuse_unsound

_HASH = "sha256"


class Baseline(Record):
    """Scores, when they were blessed (UTC), and what a check against them requires: `gates` are
    margins as they are written, `tiers` what each metric counts.

    `sha256` is of everything else in the file; None in one that an earlier stagelift wrote, which
    has no gates either.
    """

    format: Literal["stagelift-baseline-2"] | None = None
    blessed: str
    gates: dict[str, str] = {}
    tiers: dict[str, list[str]] = {}
    scores: StageScores
    sha256: str | None = None


def bless(scores: StageScores, margins: Sequence[Margin], folder: Path, name: str) -> Path:
    """Write scores with their gates as the newest baseline of this name and return the file.

    Nothing is overwritten.
    """
    with as_usage_errors():
        check_folder_name("baseline", name)
    refuse_unsound(scores, f"{scores.run}/{scores.stage} cannot be blessed")
    files = history(folder, name)
    path = folder / name / f"{int(files[-1].stem) + 1 if files else 1:04}.json"
    write_text(path, sealed(scores, margins))
    return path


def sealed(scores: StageScores, margins: Sequence[Margin]) -> str:
    """Return the text of a baseline blessed now, its hash in it."""
    baseline = Baseline(
        format="stagelift-baseline-2",
        blessed=datetime.now(UTC).isoformat(timespec="seconds"),
        gates={margin.metric: margin.written() for margin in margins},
        tiers={
            tier: [margin.metric for margin in margins if margin.tier == tier] for tier in TIERS
        },
        scores=scores,
    )
    content = baseline.model_dump(mode="json", exclude_none=True)
    return json.dumps({**content, _HASH: _hash(content)}) + "\n"


def history(folder: Path, name: str) -> list[Path]:
    """Return the files of a baseline, oldest first; empty where there is none."""
    files = [path for path in (folder / name).glob("*.json") if re.fullmatch(r"[0-9]+", path.stem)]
    return sorted(files, key=lambda path: int(path.stem))


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises UsageError where the file is none, was edited, or holds what cannot
    be.
    """
    return parse_baseline(read_side(path), path)


def read_side(path: Path) -> dict[str, Any]:
    """Read a file that is one side of a check. Raises UsageError where it is no JSON object."""
    with as_usage_errors():
        return read_json(path)


def parse_baseline(content: dict[str, Any], path: Path) -> Baseline:
    """Read a baseline off what its file holds, as `read_baseline` does."""
    try:
        baseline = Baseline.model_validate(content)
        refuse_unsound(baseline.scores, str(path))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(
            f"{path} is not a baseline of stagelift: {place} is missing or is not what it should "
            "be. Bless the run again with: stagelift baseline set RUN"
        ) from None
    is_earlier = (
        baseline.format is None and baseline.scores.format == EARLIER and not baseline.gates
    )
    if not is_earlier and baseline.sha256 != _hash(content):
        raise UsageError(
            f"{path} was edited: its content is not what its {_HASH} says. Take it from the "
            "repository's history, or bless the run again with: stagelift baseline set RUN"
        )
    return baseline


def baseline_names(folder: Path) -> list[str]:
    """Name the baselines there are."""
    return sorted(path.name for path in folder.glob("*") if history(folder, path.name))


def _hash(content: dict[str, Any]) -> str:
    """Hash all but the hash, however the file is laid out."""
    hashed = {key: value for key, value in content.items() if key != _HASH}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
