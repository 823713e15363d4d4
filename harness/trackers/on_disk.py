"""What a stage has left on disk so far: what its training logged, and what was measured."""

import os
from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.records import Metric
from stagelift.harness.trackers.tracker import TrackedStage, fit_name
from stagelift.stages.folders import NodeFolder
from stagelift.stages.records import LogRow


@dataclass(frozen=True)
class Point:
    """The values of one step, by the names that trackers show."""

    step: int
    values: dict[str, float]


class LoggedPoints:
    """The rows of `training.jsonl`, which grows, and is another file after a resume."""

    def __init__(self, stage: TrackedStage) -> None:
        self._path = NodeFolder(Path(stage.node)).log_rows
        self._points: list[Point] = []
        self._file, self._read = 0, 0

    def read(self) -> list[Point]:
        """Return all points that are there now; a line that is being written comes next time."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            seen = os.fstat(file.fileno())
            if seen.st_ino != self._file:
                self._points, self._file, self._read = [], seen.st_ino, 0
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
            rows = [LogRow.model_validate_json(line) for line in whole.split(b"\n") if line]
            self._points += [_logged(row) for row in rows]
        return self._points


def _logged(row: LogRow) -> Point:
    numbers = {
        f"train/{fit_name(name)}": float(value)
        for name, value in row.logs.items()
        if isinstance(value, int | float)
    }
    return Point(row.step, numbers)


class MeasuredPoint:
    """What was measured of a stage, at the step that the model is of."""

    def __init__(self, stage: TrackedStage) -> None:
        self._node = NodeFolder(Path(stage.node))
        self._evaluation = EvaluationFolder(Path(stage.evaluation))
        self._point: Point | None = None

    @property
    def name(self) -> str:
        """What the evaluation is called: by its contract."""
        return self._evaluation.path.name

    def read(self) -> Point | None:
        """Return the metrics with their intervals and n; None where they are not there yet."""
        if self._point is None and self._evaluation.is_complete():
            metrics = self._evaluation.read_result().metrics
            parts = [_parts(name, metric) for name, metric in metrics.items()]
            values = {name: value for part in parts for name, value in part.items()}
            self._point = Point(_step(self._node), values)
        return self._point


def _parts(name: str, metric: Metric) -> dict[str, float]:
    shown = f"eval/{fit_name(name)}"
    return {
        shown: metric.value,
        f"{shown}_low": metric.low,
        f"{shown}_high": metric.high,
        f"{shown}_n": float(metric.n),
    }


def _step(node: NodeFolder) -> int:
    """Return the training step of a node's model: the one that was selected, else the last.

    What trained nothing is of step 0.
    """
    if node.is_trained() and node.is_selected():
        return node.read_selection().selected
    return node.read_result().steps if node.is_trained() else 0
