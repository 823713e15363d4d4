"""`trackers.json`: which run of which tracker a stage is written to, and up to where."""

from pathlib import Path

from stagelift.evals.files import read_record, write_record
from stagelift.evals.records import Record


class Written(Record):
    """What a tracker has been given of a stage: training up to a `step`, and `evaluations`.

    `id` is the tracker's own, and `place` where it keeps the run.
    """

    tracker: str
    place: str
    stage: str
    node: str
    id: str
    step: int = 0
    evaluations: tuple[str, ...] = ()

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """What it is of: a tracker, where that keeps the run, the stage, and the stage's node."""
        # earlier files tell W&B's modes apart, whose runs are one
        place = "" if self.tracker == "wandb" else self.place
        return (self.tracker, place, self.stage, self.node)


class WrittenFile(Record):
    """All that the trackers of a run have been given."""

    runs: tuple[Written, ...] = ()


def read_written(path: Path) -> list[Written]:
    """Read what trackers have been given; nothing where nobody wrote it down."""
    return list(read_record(path, WrittenFile).runs) if path.exists() else []


def write_written(path: Path, runs: list[Written]) -> None:
    """Replace the file in one step."""
    write_record(path, WrittenFile(runs=tuple(runs)))
