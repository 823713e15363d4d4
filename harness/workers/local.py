"""The local executor: start a worker process for a job and follow it to its end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import cycle, islice
from queue import SimpleQueue
from typing import Any

from stagelift.evals.models.model import Device, Dtype
from stagelift.harness.workers.endings import ending, wait_and_measure
from stagelift.harness.workers.executor import JobFailed, NoRoom, OnJobEvent
from stagelift.harness.workers.failures import what_takes_less
from stagelift.harness.workers.jobs import AnyJob, TrainJob, log_file
from stagelift.harness.workers.killer import Killer
from stagelift.harness.workers.log import clean_log
from stagelift.harness.workers.packages import python_path
from stagelift.harness.workers.threads import waiting_threads
from stagelift.stages import precision
from stagelift.stages.precision import DtypeSetting

# freed memory up to here stays with the process
_KEPT_BYTES = str(1 << 32)


class LocalExecutor:
    """The executor that is there everywhere: worker processes on this machine.

    They are up to `jobs` at once, on its GPUs in turn.
    """

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self.gpus: SimpleQueue[str] = SimpleQueue()
        for gpu in islice(cycle(_visible_gpus(jobs)), jobs):
            self.gpus.put(gpu)
        self.started: list[subprocess.Popen[str]] = []
        self.stopped = False

    def precise(self, setting: DtypeSetting) -> tuple[Device, Dtype]:
        """Workers run on this machine's device."""
        return precision.resolved(setting)

    def run(self, job: AnyJob, on_event: OnJobEvent) -> None:
        """Run one worker to its end, passing on its events. Raises JobFailed."""
        gpu = self.gpus.get()
        try:
            run_worker(job, on_event, _one_gpu(job, gpu), self._on_start)
        finally:
            self.gpus.put(gpu)

    def stop(self) -> None:
        """Kill the workers; what they finished is kept, and the next run goes on from there."""
        self.stopped = True
        for process in list(self.started):
            process.kill()

    def close(self) -> None:
        """Nothing is kept between jobs."""

    def _on_start(self, process: subprocess.Popen[str]) -> None:
        """Remember a worker.

        One that another thread started while we were told to stop ends at once.
        """
        self.started.append(process)
        if self.stopped:
            process.kill()


def run_worker(
    job: AnyJob,
    on_event: OnJobEvent,
    environment: Mapping[str, str] | None = None,
    on_start: Callable[[subprocess.Popen[str]], None] = lambda _: None,
) -> None:
    """Run one worker to its end, passing on its events. Ends it with us, also when interrupted.

    One that ran out of memory has left in its folder how to work on less at once, and is started
    once more. `environment` is added to ours (if not given, one GPU is shown). `on_start` gets the
    process. Raises JobFailed where the worker ends with an error or a signal.
    """
    if environment is None:
        environment = _one_gpu(job, _visible_gpus(1)[0])
    try:
        _run_once(job, on_event, environment, on_start)
    except _OnceMore:
        _run_once(job, on_event, environment, on_start)


class _OnceMore(JobFailed):
    """A worker failed, and left in its folder how it can be done."""


def _run_once(
    job: AnyJob,
    on_event: OnJobEvent,
    environment: Mapping[str, str],
    on_start: Callable[[subprocess.Popen[str]], None],
) -> None:
    killer = Killer()
    process = _start_worker(environment)
    assert process.stdin is not None and process.stdout is not None
    on_start(process)
    failed: dict[str, Any] = {}
    peak, is_done = None, False
    on_event({"event": "starting", "job": job.job})
    try:
        # it died at once: the exit code says so below
        with suppress(BrokenPipeError):
            process.stdin.write(job.model_dump_json() + "\n")
            process.stdin.flush()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                failed = event
            if event["event"] == "done":
                is_done = True
            elif not event.get("again"):
                on_event(event)
        # before its standard input closes, which would end it
        peak = wait_and_measure(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
        # what a program that the worker started has printed went by no Python of ours
        clean_log(log_file(job))
    # what a recipe names may end the process with 0, too
    if process.returncode != 0 or not is_done:
        said = failed.get("error") or ending(
            process.returncode, killer, peak, log_file(job), what_takes_less(job)
        )
        raise _kind(failed)(f"{job.job.capitalize()} job failed: {said} (log: {log_file(job)})")


def _kind(failed: dict[str, Any]) -> type[JobFailed]:
    if failed.get("again"):
        return _OnceMore
    return NoRoom if failed.get("full") else JobFailed


def _start_worker(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # -P: nothing in the working folder shadows a package
        [sys.executable, "-P", "-m", "stagelift.harness.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # whatever the locale is
        encoding="utf-8",
        env={**_worker_environment(), **environment},
        # Ctrl-C is ours to handle
        start_new_session=True,
    )


def _visible_gpus(jobs: int) -> list[str]:
    """Name the GPUs that may be used; one job takes the first without asking how many there are."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return named.split(",")
    if jobs == 1:
        return ["0"]
    import torch

    return [str(gpu) for gpu in range(torch.cuda.device_count())] or ["0"]


def _one_gpu(job: AnyJob, gpu: str) -> dict[str, str]:
    """Show a worker one GPU: with two, Trainer would double the batch.

    A launcher spreads its processes over all of them.
    """
    if isinstance(job, TrainJob) and job.launcher is not None:
        return {}
    return {"CUDA_VISIBLE_DEVICES": gpu}


def _worker_environment() -> dict[str, str]:
    """Ours, with the package that this process runs (installed or not)."""
    return {
        **os.environ,
        **waiting_threads(),
        "PYTHONPATH": python_path(),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",
        # glibc's allocator: a generation's cache grows token by token, and giving the old one back
        # to the kernel each time took nearly half of the time of a five-shot evaluation on CPU
        "MALLOC_MMAP_THRESHOLD_": os.environ.get("MALLOC_MMAP_THRESHOLD_", _KEPT_BYTES),
        "MALLOC_TRIM_THRESHOLD_": os.environ.get("MALLOC_TRIM_THRESHOLD_", _KEPT_BYTES),
    }
