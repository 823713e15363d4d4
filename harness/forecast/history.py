"""What earlier runs on this machine cost, read from their records: the ground that estimates stand
on.

What cannot be read is left out: an estimate is no reason to stop.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stagelift.evals.files import read_json, read_record
from stagelift.evals.records import EvalResult, Record
from stagelift.stages.records import StageResult

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True)
class PastTraining:
    """A trained node: what it is, the model under it (as its base node says it), and its record."""

    kind: str
    identity: dict[str, Any]
    model: dict[str, Any]
    result: StageResult


@dataclass(frozen=True)
class PastEvaluation:
    """An evaluation of a node of this kind, on the model under it, and its record."""

    kind: str
    model: dict[str, Any]
    result: EvalResult


@dataclass(frozen=True)
class History:
    """All trainings and evaluations of a store that runs on one machine refer to."""

    trainings: list[PastTraining]
    evaluations: list[PastEvaluation]


def read_history(root: Path, device: str) -> History:
    """Read the records of nodes that runs on `device` refer to, but for those that runs on another
    one share.
    """
    runs = _all_json(sorted(root.glob("*/run.json")))
    here = {name for run in runs if run.get("device") == device for name in _nodes(run)}
    elsewhere = {name for run in runs if run.get("device") != device for name in _nodes(run)}
    nodes = _all_json([root / name / "node.json" for name in sorted(here - elsewhere)])
    return History(
        trainings=[training for node in nodes for training in _training(root, node)],
        evaluations=[evaluation for node in nodes for evaluation in _evaluations(root, node)],
    )


def parents(root: Path) -> dict[str, str | None]:
    """Return the parent of every node of a store, None for those that have none."""
    nodes = _all_json(sorted(root.glob("nodes/*/node.json")))
    return {str(node.get("id")): node.get("parent") for node in nodes}


def _nodes(run: dict[str, Any]) -> Iterator[str]:
    stages = run.get("stages")
    if isinstance(stages, list):
        yield from (str(stage.get("node")) for stage in stages if isinstance(stage, dict))


def _training(root: Path, node: dict[str, Any]) -> Iterator[PastTraining]:
    result = _record(root / "nodes" / str(node.get("id")) / "stage.json", StageResult)
    if result is not None:
        yield PastTraining(
            result.kind, dict(node.get("identity") or {}), _model(root, node), result
        )


def _evaluations(root: Path, node: dict[str, Any]) -> Iterator[PastEvaluation]:
    for path in sorted((root / "nodes" / str(node.get("id")) / "evals").glob("*/result.json")):
        result = _record(path, EvalResult)
        if result is not None and result.seconds is not None:
            yield PastEvaluation(str(node.get("kind")), _model(root, node), result)


def _model(root: Path, node: dict[str, Any]) -> dict[str, Any]:
    """Follow a node's parents to its base and return what that one is."""
    while node.get("parent") is not None:
        parent = _json(root / "nodes" / str(node["parent"]) / "node.json")
        if parent is None:
            return {}
        node = parent
    return dict(node.get("identity") or {})


def _all_json(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read the files that can be read."""
    return [content for path in paths if (content := _json(path)) is not None]


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _record(path: Path, kind: type[AnyRecord]) -> AnyRecord | None:
    try:
        return read_record(path, kind)
    except (OSError, ValueError):
        return None
