"""One of the processes that a launcher started: trains its part of a stage.

The first of them writes what comes of it.

Started as `-m harness.launched FILE PROCESSES`, on the worker's machine with `--with-worker`:
standard input then closes when the worker is gone, and this process ends.
"""

import os
import re
import sys
import threading
import traceback
from pathlib import Path
from typing import TextIO

from stagelift.harness.workers.events import emit, end_with_standard_input, step_events
from stagelift.harness.workers.failures import reason
from stagelift.harness.workers.jobs import EVENTS_FILE, WITH_WORKER, TrainJob, training_folder
from stagelift.harness.workers.log import print_no_credentials
from stagelift.harness.workers.out_of_memory import memory_ran_out
from stagelift.harness.workers.threads import waiting_threads


def main() -> None:
    """Read the job, train, and write the stage's record.

    What went wrong is said where the worker reads it.
    """
    print_no_credentials()
    file, processes = Path(sys.argv[1]), int(sys.argv[2])
    if WITH_WORKER in sys.argv:
        threading.Thread(target=end_with_standard_input, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
        # mixed precision, compilation and more: only the recipe says how a stage is trained
        del os.environ[name]
    # on a machine where a user typed the command, no worker of ours did it
    os.environ.update(waiting_threads())
    job = TrainJob.model_validate_json(file.read_text(encoding="utf-8"))
    with file.with_name(EVENTS_FILE).open("a", encoding="utf-8") as events:
        try:
            _train(job, processes, events)
        # a reward may call sys.exit(); the worker passes it on
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told
            traceback.print_exc()
            memory = memory_ran_out(error)
            emit(events, event="failed", error=_reason(error, job), memory=memory)
            sys.exit(1)


def _train(job: TrainJob, processes: int, events: TextIO) -> None:
    from torch import distributed

    from stagelift.stages.train import train

    result = train(
        job.settings,
        job.parent,
        job.lora,
        job.seed,
        Path(job.folder),
        job.versions,
        step_events(events),
        processes,
        job.keep_every,
        stop_when_ill=job.stop_when_ill,
        smaller_batch=job.smaller_batch,
    )
    if int(os.environ.get("RANK", "0")) == 0:
        training_folder(job).write_result(result)
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _reason(error: Exception | SystemExit, job: TrainJob) -> str:
    """Say what is known where another process is gone, which torch tells at length."""
    text = " ".join(str(error).split())
    is_of_memory = memory_ran_out(error)
    if (
        not is_of_memory
        and isinstance(error, RuntimeError)
        and re.search("gloo|nccl", text, re.IGNORECASE)
    ):
        return (
            "another process cannot be reached: it was ended (if nobody did, memory ran out), or "
            "the network between machines fails"
        )
    # the worker says which stage it is
    return reason(error, job)


if __name__ == "__main__":
    main()
