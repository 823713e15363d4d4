"""TensorBoard: a folder of event files for each stage, below that of the run.

Each sitting writes a file of its own, and TensorBoard reads all files of a folder as one run.
"""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from stagelift.harness.trackers.tracker import TrackedStage
from stagelift.reports.folders import RunFolder

_FILES = "events.out.tfevents.*"


class TensorBoardRun:
    """The event files of one stage."""

    def __init__(self, stage: TrackedStage, id: str | None) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = _root(stage) / _path(stage.stage)
        earlier = sorted(folder.glob(_FILES))
        self.id = stage.node_name
        self.goes_on = id is not None and bool(earlier)
        if not self.goes_on and not self.place():
            # of another node that the run once had under this name
            for file in earlier:
                file.unlink()
        self._writer = EventFileWriter(str(folder))

    @staticmethod
    def place() -> str:
        """Return the user's folder; empty for the run's own, which may be moved."""
        given = os.environ.get("TENSORBOARD_LOGGING_DIR")
        return str(Path(given).expanduser().absolute()) if given else ""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=scalars))
        self._writer.add_event(event)
        self._writer.flush()

    def close(self, *, finished: bool) -> None:  # noqa: ARG002 - a file does not say
        self._writer.close()


def _root(stage: TrackedStage) -> Path:
    given = TensorBoardRun.place()
    return Path(given) / stage.run if given else RunFolder(Path(stage.run_folder)).tensorboard


def _path(stage: str) -> str:
    """Name a stage's folder; a study's stages have a variant and a slot (`r=4/sft`)."""
    parts = [re.sub(r"[^\w.=+,@ -]", "_", part).strip(". ") for part in stage.split("/")]
    return "/".join(filter(None, parts))
