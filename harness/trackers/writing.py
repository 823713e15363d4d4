"""The process beside a run that writes to its trackers.

It reads what training and evaluation leave on disk, and the trainers know nothing of it: neither a
tracker that fails nor one that hangs is in their way. The job comes as one JSON line on standard
input. When that closes, the run is over, and what is left is written.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from stagelift.evals.records import Record
from stagelift.harness.trackers.known import KNOWN
from stagelift.harness.trackers.on_disk import LoggedPoints, MeasuredPoint, Point
from stagelift.harness.trackers.tracker import TrackedStage, TrackerRun
from stagelift.harness.trackers.written import Written, read_written, write_written
from stagelift.harness.workers.events import emit, events_apart_from_prints
from stagelift.reports.folders import RunFolder

_LOOK_SECONDS = 1.0


class TrackingJob(Record):
    """Write the stages of a run to their trackers."""

    run_folder: str
    stages: tuple[TrackedStage, ...]


def main() -> None:
    """Write what comes, until the run is over."""
    job = TrackingJob.model_validate_json(sys.stdin.buffer.readline())
    events = events_apart_from_prints(RunFolder(Path(job.run_folder)).trackers_log)
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    writer = Writer(job, events)
    while not over.wait(_LOOK_SECONDS):
        writer.look()
    writer.look()
    writer.close()


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


class Writer:
    """Keeps trackers up to date with what is on disk; one that fails gets nothing more."""

    def __init__(self, job: TrackingJob, events: TextIO) -> None:
        self._events = events
        self._file = RunFolder(Path(job.run_folder)).trackers
        self._written = read_written(self._file)
        self._failed: set[str] = set()
        self._stages = [(stage, LoggedPoints(stage), MeasuredPoint(stage)) for stage in job.stages]
        self._opened: dict[tuple[str, str], TrackerRun] = {}

    def look(self) -> None:
        """Write what is new of every stage."""
        for stage, logged, measured in self._stages:
            points = logged.read()
            for tracker in stage.trackers:
                write = partial(self._write, tracker, stage, points, measured)
                self._unless_failed(tracker, write)

    def close(self) -> None:
        """Close what is still open: stages that were interrupted."""
        for tracker, stage in list(self._opened):
            close = partial(self._close, tracker, stage, finished=False)
            self._unless_failed(tracker, close)

    def _unless_failed(self, tracker: str, step: Callable[[], None]) -> None:
        if tracker in self._failed:
            return
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever a tracker does, the run goes on
            traceback.print_exc()
            self._failed.add(tracker)
            emit(self._events, tracker=tracker, error=f"{type(error).__name__}: {error}")

    def _write(
        self, tracker: str, stage: TrackedStage, points: list[Point], measured: MeasuredPoint
    ) -> None:
        written = self._known(tracker, stage)
        step, evaluations = (0, ()) if written is None else (written.step, written.evaluations)
        result = None if measured.name in evaluations else measured.read()
        if result is None and not any(point.step > step for point in points):
            return
        run, written = self._open(tracker, stage, written)
        try:
            for point in [point for point in points if point.step > written.step]:
                run.log(point.step, point.values)
                written = written.model_copy(update={"step": point.step})
            if result is not None:
                run.log(result.step, result.values)
                evaluations = (*written.evaluations, measured.name)
                written = written.model_copy(update={"evaluations": evaluations})
                self._close(tracker, stage.stage, finished=True)
        finally:
            self._note(written)

    def _known(self, tracker: str, stage: TrackedStage) -> Written | None:
        subject = (tracker, KNOWN[tracker].place(), stage.stage, stage.node_name)
        return next((run for run in self._written if run.subject == subject), None)

    def _open(
        self, tracker: str, stage: TrackedStage, written: Written | None
    ) -> tuple[TrackerRun, Written]:
        """Return a stage's run, and what was written to it; of a new one that is nothing."""
        key = (tracker, stage.stage)
        if key in self._opened and written is not None:
            return self._opened[key], written
        run = KNOWN[tracker](stage, None if written is None else written.id)
        self._opened[key] = run
        if written is None or not run.goes_on:
            written = Written(
                tracker=tracker,
                place=run.place(),
                stage=stage.stage,
                node=stage.node_name,
                id=run.id,
            )
        # before anything is written to it
        self._note(written)
        return run, written

    def _close(self, tracker: str, stage: str, *, finished: bool) -> None:
        self._opened.pop((tracker, stage)).close(finished=finished)

    def _note(self, written: Written) -> None:
        """Remember what a tracker was given, in place of what was known before."""
        others = [run for run in self._written if run.subject != written.subject]
        self._written = [*others, written]
        write_written(self._file, self._written)


if __name__ == "__main__":
    main()
