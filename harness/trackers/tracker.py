"""What a tracker is: it takes the numbers of a stage, step by step."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from stagelift.evals.records import Record

# other characters are refused by MLflow
_UNFIT = re.compile(r"[^0-9A-Za-z_\-. :/]")


class TrackedStage(Record):
    """One stage of a run, as its trackers get it.

    `name` is what trackers call it, `project` where trackio keeps it. `node` and `evaluation` are
    the folders of what is reported, `settings` what the stage was made with.
    """

    run: str
    run_folder: str
    stage: str
    name: str
    project: str
    node: str
    evaluation: str
    trackers: tuple[str, ...]
    settings: dict[str, JsonValue]

    @property
    def node_name(self) -> str:
        """The node's id."""
        return Path(self.node).name


class TrackerRun(Protocol):
    """The run of a tracker that one stage is written to.

    `goes_on` says whether it is the one of `id`, with what was written to it earlier.
    """

    id: str
    goes_on: bool

    def __init__(self, stage: TrackedStage, id: str | None) -> None: ...

    @staticmethod
    def place() -> str:
        """Return where the tracker keeps the run, without importing its library."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values of a step."""

    def close(self, *, finished: bool) -> None:
        """Write out what is left; `finished` where the stage will have no more."""


def fit_name(name: str) -> str:
    """Return a metric's or setting's name in characters that every tracker takes."""
    return _UNFIT.sub("_", name)
