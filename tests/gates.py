"""Sides of a check made of literal scores."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stagelift.evals.files import write_text
from stagelift.harness.checks.baselines import sealed
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.scores import StageScores


def scores(accuracy: Iterable[float], **changes: Any) -> StageScores:
    values = {"accuracy": {f"p/{number}": float(one) for number, one in enumerate(accuracy)}}
    fields = {
        "run": "run",
        "stage": "grpo",
        "contract_id": "c0ffee",
        "contract": {"task": "t", "judge": "j"},
        "fit": None,
    }
    return StageScores(**{**fields, "opponent": "base", "values": values, "lengths": {}, **changes})


def write(path: Path, found: StageScores, *margins: Margin) -> str:
    """Write a blessed baseline, as `stagelift baseline set` does."""
    write_text(path, sealed(found, margins))
    return str(path)
