"""What earlier runs on this machine cost, read from their records: the ground that estimates stand
on.

What cannot be read is left out: an estimate is no reason to stop.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.records import EvalResult
from stagelift.reports.folders import RunFolder, RunsFolder
from stagelift.stages.folders import NodeFolder, NodeRecord
from stagelift.stages.records import StageResult

Folder = TypeVar("Folder")
Content = TypeVar("Content")


@dataclass(frozen=True)
class PastTraining:
    """A trained node: what it is, the weights under it (as their node says it), and its record."""

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
    """Read the records of nodes that runs on `device` refer to.

    Those that runs on another device share are left out.
    """
    store = RunsFolder(root)
    runs = _readable(store.runs(), RunFolder.read)
    here = {stage.node for run in runs if run.device == device for stage in run.stages}
    elsewhere = {stage.node for run in runs if run.device != device for stage in run.stages}
    nodes = [NodeFolder(root / place) for place in sorted(here - elsewhere)]
    described = [(node, record) for node in nodes if (record := _read(node.read)) is not None]
    return History(
        trainings=[past for node in described for past in _training(store, *node)],
        evaluations=[past for node in described for past in _evaluations(store, *node)],
    )


def parents(root: Path) -> dict[str, str | None]:
    """Return the parent of every node of a store, None for those that have none."""
    nodes = RunsFolder(root).described_nodes()
    return {node.id: node.parent for node in _readable(nodes, NodeFolder.read)}


def _training(store: RunsFolder, node: NodeFolder, record: NodeRecord) -> Iterator[PastTraining]:
    result = _read(node.read_result)
    if result is not None:
        yield PastTraining(result.kind, record.identity, _model(store, record), result)


def _evaluations(
    store: RunsFolder, node: NodeFolder, record: NodeRecord
) -> Iterator[PastEvaluation]:
    for result in _readable(node.evaluations(), EvaluationFolder.read_result):
        if result.seconds is not None:
            yield PastEvaluation(record.kind, _model(store, record), result)


def _model(store: RunsFolder, node: NodeRecord) -> dict[str, Any]:
    """Follow what a node lies on to the weights below, and return what those are."""
    while "model" not in node.identity:
        below = node.identity.get("on", node.parent)
        record = None if below is None else _read(store.node(below).read)
        if record is None:
            return {}
        node = record
    return node.identity


def _readable(folders: Iterable[Folder], read: Callable[[Folder], Content]) -> list[Content]:
    contents = [_read(partial(read, folder)) for folder in folders]
    return [content for content in contents if content is not None]


def _read(read: Callable[[], Content]) -> Content | None:
    try:
        return read()
    except (OSError, ValueError):
        return None
