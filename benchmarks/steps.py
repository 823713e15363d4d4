"""One stage trained by us or by TRL alone, with the time and the loss of each step."""

import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from benchmarks import bare_trl

if TYPE_CHECKING:
    from stagelift.evals.data.source import Source


@dataclass(frozen=True)
class Trained:
    """Each step's seconds but the first's, which also warms up, and what every step logged."""

    seconds: list[float]
    logs: list[dict[str, float]]

    @property
    def step(self) -> float:
        """The median step, in seconds."""
        return median(self.seconds)

    def logged(self, name: str) -> list[float]:
        """A logged number, step by step."""
        return [row[name] for row in self.logs if name in row]


class Clock:
    """Notes when steps end."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.logs: list[dict[str, float]] = []

    def tick(self, logs: dict[str, float]) -> None:
        """Note the end of a step and what it logged."""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        self.logs.append(logs)

    def trained(self) -> Trained:
        """Return all that was noted."""
        ends = pairwise(self.times)
        return Trained([end - start for start, end in ends], self.logs)


class Ticking(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for mypy here
    """Lets a clock tick with TRL's log, which comes once a step."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_log(
        self, _args: Any, _state: Any, _control: Any, logs: dict[str, Any], **_: Any
    ) -> None:
        """Tick, but for the closing summary."""
        if "train_runtime" not in logs:
            numbers = {
                name: float(value) for name, value in logs.items() if isinstance(value, int | float)
            }
            self.clock.tick(numbers)


def write_rows(kind: str, source: "Source", path: Path) -> Path:
    """Write what a stage trains on as a file that both sides read."""
    from stagelift.stages.rows.training import training_rows
    from stagelift.stages.settings import StageSettings

    training_rows(StageSettings(kind=kind, dataset=source)).to_json(path)
    return path


def train_ours(job: bare_trl.Job) -> Trained:
    """Train as a run's worker does; the adapter is in `adapter` below the job's output."""
    import torch

    from stagelift.evals.data.source import Source
    from stagelift.evals.models.model import ModelRef
    from stagelift.stages.settings import StageSettings
    from stagelift.stages.train import train

    settings = StageSettings(
        kind=job.kind, dataset=Source(path=job.rows), args=job.args, rewards=job.rewards
    )
    parent = ModelRef(
        path=job.model,
        dtype=job.dtype,
        device="cuda" if torch.cuda.is_available() else "cpu",
        adapter=job.adapter,
        quantization=job.quantization,
    )
    clock = Clock()
    folder = Path(job.output)
    train(settings, parent, job.lora, job.seed, folder, {}, lambda logged: clock.tick(logged.logs))
    return clock.trained()


def train_bare(job: bare_trl.Job) -> Trained:
    """Train with TRL alone; the adapter is in the job's output."""
    clock = Clock()
    bare_trl.train(job, [Ticking(clock)])
    return clock.trained()
