"""What a reader made of files that a test wrote."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stagelift.evals.imports.results import ImportedStage
from stagelift.evals.records import TaskScore


def values(stage: ImportedStage) -> dict[str, list[float]]:
    """A stage's task scores by metric, in their order."""
    found: dict[str, list[float]] = {}
    for score in task_scores(stage):
        found.setdefault(score.metric, []).append(score.value)
    return found


def task_scores(stage: ImportedStage) -> list[TaskScore]:
    return [score for scores in stage.task_scores.values() for score in scores]


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, columns: dict[str, list[Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)
    return path
