"""One of several processes that train a stage together; torchrun or `accelerate launch` starts it, see `launcher`."""

import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from evals.files import append_line, write_text
from harness.launcher import CONDUCTED, events_file, world_size
from harness.sections import LauncherSection
from harness.worker import TrainJob


def main() -> None:
    """Read the job named on the command line and train it together with the other processes."""
    if CONDUCTED in os.environ:
        threading.Thread(target=_end_with_the_worker, daemon=True).start()
    job = TrainJob.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        _train(job)
    except BaseException as error:  # whichever process fails first says why; the launcher ends the others
        traceback.print_exc()
        _emit(job, event="failed", error=f"{type(error).__name__}: {' '.join(str(error).split())}")
        raise SystemExit(1) from error


def _train(job: TrainJob) -> None:
    from accelerate import PartialState

    from stages.train import train

    state = PartialState(cpu=job.parent.device == "cpu")
    assert job.launcher is not None
    _check_world(job.launcher, state.num_processes)

    def on_step(step: int, steps: int, logs: dict[str, float]) -> None:
        shown = {name: logs[name] for name in ("loss", "reward", "accuracy") if name in logs}
        _emit(job, event="training", step=step, steps=steps, **shown)

    folder = Path(job.folder)
    result = train(job.settings, job.parent, job.lora, job.seed, folder, job.versions, on_step, state.num_processes)
    if state.is_main_process:
        write_text(folder / "stage.json", result.model_dump_json(indent=2) + "\n")
    state.wait_for_everyone()


def _check_world(launcher: LauncherSection, found: int) -> None:
    """A launcher may start fewer processes than asked, and training would go on as if nothing were wrong."""
    wanted = world_size(launcher)
    if wanted is not None and found != wanted:
        raise ValueError(
            f"{wanted} processes were asked for and there is a world of {found}. accelerate starts several on CPU only with MPI; "
            "use torchrun, or a config with distributed_type MULTI_GPU, which works on CPU, too."
        )


def _emit(job: TrainJob, **event: Any) -> None:
    append_line(events_file(Path(job.folder)), event)


def _end_with_the_worker() -> None:
    """Standard input closes when the worker ends, however it ends."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
