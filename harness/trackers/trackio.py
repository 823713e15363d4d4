"""trackio: a project for each run, with a run for each stage, in the database on this machine.

TRACKIO_SPACE_ID or TRACKIO_SERVER_URL, where the user sets them, send it elsewhere.
"""

import os
from collections.abc import Mapping
from contextvars import Context

from stagelift.harness.trackers.tracker import TrackedStage


class TrackioRun:
    """The run of one stage."""

    def __init__(self, stage: TrackedStage, id: str | None) -> None:
        import trackio

        # elsewhere than on this machine, it may only be out of reach
        self.goes_on = id is not None and (bool(self.place()) or _is_held(stage.project, id))
        # in a context of its own: it would end the run that is open in this one
        self._run = Context().run(
            trackio.init,
            project=stage.project,
            name=stage.name,
            group=stage.run,
            config=dict(stage.settings),
            resume="allow" if self.goes_on else "never",
            embed=False,
            # what it would watch is this process, which trains nothing
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        self.id: str = self._run.id

    @staticmethod
    def place() -> str:
        """Return where runs go; empty for the database on this machine."""
        return os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL", "")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, finished: bool) -> None:  # noqa: ARG002 - trackio does not ask
        self._run.finish()


def _is_held(project: str, id: str) -> bool:
    """Say whether the database on this machine has a run."""
    import trackio

    try:
        return any(run.id == id for run in trackio.Api().runs(project))
    except ValueError:
        # there is no such project
        return False
