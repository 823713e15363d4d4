"""What runs the jobs of a plan: worker processes on this machine, or tasks on a Ray cluster."""

from collections.abc import Callable
from typing import Any, Protocol

from stagelift.evals.models.model import Device, Dtype
from stagelift.harness.errors import StageliftError
from stagelift.harness.workers.jobs import AnyJob
from stagelift.stages.precision import DtypeSetting

OnJobEvent = Callable[[dict[str, Any]], None]


class Executor(Protocol):
    """Runs jobs, each in a process of its own, up to `jobs` at once."""

    jobs: int

    def precise(self, setting: DtypeSetting) -> tuple[Device, Dtype]:
        """Say on which kind of device jobs run, and in which dtype a setting of it results."""

    def run(self, job: AnyJob, on_event: OnJobEvent) -> None:
        """Run one job to its end, passing on its events; called from several threads.

        Raises JobFailed.
        """

    def stop(self) -> None:
        """End everything that is running."""

    def close(self) -> None:
        """Let go of what running jobs needed."""


class JobFailed(StageliftError):
    """A worker ended with an error; the message says which, and where its log is."""


class NoRoom(JobFailed):
    """A worker could not write: the disk is full."""
