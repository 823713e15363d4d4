"""How far a run is, and what is left of it: from what its jobs were forecast to take, from what
those that ended took against that, and from how far the running ones are.

A worker says how much is there already before it does anything: the first count of a job is what
was done before it began. A job that stands still has ever more left, never nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# of a job that is past its forecast, this much of what it took is taken to be left
_STILL_LEFT = 0.1
# of a running job so much must be done before its pace is believed, as it begins with what is done
# once
_TOLD = 0.2


@dataclass(frozen=True)
class Pace:
    """Steps, or whatever is counted: how many there were at first and at last, and when."""

    began: float
    first: int
    last: float
    done: int
    total: int

    @property
    def share(self) -> float:
        """How much was done of what there was to do at the first count."""
        rest = self.total - self.first
        return (self.done - self.first) / rest if rest else 0.0

    def seconds_left(self, now: float) -> float | None:
        """Return what is left at this pace; None before there is one.

        The count that is waited for takes as long as those before, and longer where it is late:
        then all that follow are taken to be as late.
        """
        counted, left = self.done - self.first, self.total - self.done
        if counted <= 0:
            return None
        if left <= 0:
            return 0.0
        each, waited = (self.last - self.began) / counted, now - self.last
        late = max(0.0, waited - each)
        # it is never there before it is
        return (each + late / counted) * left - min(waited, each / 2)


@dataclass(frozen=True)
class Running:
    """A job that runs: what it was forecast to take for what was to be done of it here, what it has
    taken, how much of that was done meanwhile, and what is left by its own pace. A pace of a part
    alone has no share.
    """

    forecast: float | None
    elapsed: float
    share: float = 0.0
    own: float | None = None

    @property
    def tells(self) -> bool:
        """Say whether its pace is more to go by than its forecast."""
        is_late = self.forecast is not None and self.elapsed > self.forecast
        return self.share >= _TOLD or (self.share > 0 and (is_late or self.forecast is None))


@dataclass(frozen=True)
class Ended:
    """What a job was forecast to take for what was done of it here, and what it took."""

    forecast: float | None
    took: float


def seconds_left(
    waiting: Sequence[float | None],
    running: Sequence[Running],
    ended: Sequence[Ended],
    at_once: int = 1,
) -> float | None:
    """Return what is left of all jobs; None where of one of them nothing is known."""
    times = slowness(running, ended)
    own = [_left(job, times) for job in running]
    later = [None if forecast is None else forecast * times for forecast in waiting]
    known = [left for left in [*own, *later] if left is not None]
    if len(known) < len(own) + len(later):
        return None
    # side by side, but none faster than by itself
    return max(sum(known) / at_once, *known, 0.0) if known else 0.0


def slowness(running: Sequence[Running], ended: Sequence[Ended]) -> float:
    """Return how many times longer things take than was forecast; 1 before anything is known."""
    parts = [(job.took, job.forecast) for job in ended if job.forecast]
    parts += [
        (job.elapsed, job.forecast * job.share) for job in running if job.forecast and job.tells
    ]
    told = [(took, forecast) for took, forecast in parts if forecast > 0]
    if not told:
        return 1.0
    return sum(took for took, _ in told) / sum(forecast for _, forecast in told)


def _left(job: Running, times: float) -> float | None:
    if job.forecast is None or (job.own is not None and job.tells):
        return job.own
    late = max(job.forecast * times - job.elapsed, _STILL_LEFT * job.elapsed)
    # the pace of a training's first steps is none yet
    return late if job.share > 0 else max(late, job.own or 0.0)


def about(seconds: float) -> str:
    """Write a time that is not known to the second."""
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def count_of(event: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return how many of how many an event says are done."""
    done, total = event.get("step", event.get("done")), event.get("steps", event.get("total"))
    return None if done is None or total is None else (int(done), int(total))


def counted(pace: Pace | None, count: tuple[int, int], now: float) -> Pace:
    """Return a pace with one more count; the first begins it."""
    done, total = count
    if pace is None or done < pace.done or total != pace.total:
        return Pace(now, done, now, done, total)
    if done == pace.done:
        return pace
    return Pace(pace.began, pace.first, now, done, total)


class Overall:
    """The jobs of a run, told when each begins and ends and what its stage says meanwhile."""

    def __init__(
        self,
        forecasts: Mapping[str, float | None],
        at_once: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waiting, self.at_once, self.clock = dict(forecasts), at_once, clock
        self.jobs = len(forecasts)
        self.ended: list[Ended] = []
        self.running: dict[str, _Begun] = {}

    def begin(self, job: str, stage: str) -> None:
        """Take in that a job of a stage begins."""
        if job not in self.waiting:
            self.jobs += 1
        self.running[job] = _Begun(stage, self.waiting.pop(job, None), self.clock())

    def end(self, job: str) -> None:
        """Take in that a job ended."""
        begun = self.running.pop(job)
        self.ended.append(Ended(begun.forecast_here, self.clock() - begun.at))

    def see(self, stage: str, event: Mapping[str, Any]) -> None:
        """Take in how far a stage is."""
        count = count_of(event)
        for begun in [*self.running.values()]:
            if begun.stage == stage and count is not None:
                begun.see(f"{event['event']} {event.get('what', '')}", count, self.clock())

    def stages(self) -> list[str]:
        """Name the stages that are worked on."""
        return [begun.stage for begun in [*self.running.values()]]

    def words(self) -> str:
        """Say how many jobs are done, and about how long the rest will take."""
        said = f"{len(self.ended)} of {self.jobs} jobs done"
        now = self.clock()
        running = [begun.as_running(now) for begun in [*self.running.values()]]
        left = seconds_left([*self.waiting.values()], running, self.ended, self.at_once)
        if left is None or not (running or self.waiting):
            return said
        return f"{said}, about {about(left)} left in all"


class _Begun:
    """A job that has begun: since when, and at which pace it goes."""

    def __init__(self, stage: str, forecast: float | None, at: float) -> None:
        self.stage, self.forecast, self.at = stage, forecast, at
        self.part, self.pace = "", None
        # what of it was there already is no work of now
        self.done_here = 1.0
        self.first_part: str | None = None

    pace: Pace | None

    @property
    def forecast_here(self) -> float | None:
        return None if self.forecast is None else self.forecast * self.done_here

    def see(self, part: str, count: tuple[int, int], now: float) -> None:
        if self.first_part is None:
            self.first_part = part
            done, total = count
            self.done_here = 1 - done / total if total and done < total else 1.0
        self.pace = counted(self.pace if part == self.part else None, count, now)
        self.part = part

    def as_running(self, now: float) -> Running:
        if self.pace is None:
            return Running(self.forecast_here, now - self.at)
        # a training is one count from its begin to its end, an evaluation several
        whole = self.part.startswith("training")
        left = self.pace.seconds_left(now)
        share = self.pace.share if whole else 0.0
        return Running(self.forecast_here, now - self.at, share, left)
