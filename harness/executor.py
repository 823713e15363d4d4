"""Start a worker process for a job and follow it to its end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.worker import AnyJob, log_folder

_KEPT_BYTES = str(1 << 32)  # freed memory up to here stays with the process


class JobFailed(Exception):
    """A worker ended with an error; the message says which, and where its log is."""


def run_worker(job: AnyJob, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Run one worker to its end, passing on its events. Ends it with us, also when interrupted.

    Raises JobFailed where the worker ends with an error or a signal.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.worker"],  # -P: nothing in the working folder shadows a package
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_worker_environment(),
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    assert process.stdin is not None and process.stdout is not None
    failure = None
    on_event({"event": "starting", "job": job.job})
    try:
        with suppress(BrokenPipeError):  # it died at once: the exit code says so below
            process.stdin.write(job.model_dump_json() + "\n")
            process.stdin.flush()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                failure = event["error"]
            if event["event"] != "done":
                on_event(event)
        process.wait()  # before its standard input closes, which would end it
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
    if process.returncode != 0:
        raise JobFailed(_failure_message(job, failure, process.returncode))


def _worker_environment() -> dict[str, str]:
    """Ours, with the packages this process runs (installed or not) and one GPU: with two, Trainer would double the batch."""
    packages = str(Path(__file__).resolve().parent.parent)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in (packages, os.environ.get("PYTHONPATH", "")) if part),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0],
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",
        # glibc's allocator: a generation's cache grows token by token, and giving the old one back to the kernel each time
        # took nearly half of the time of a five-shot evaluation on CPU
        "MALLOC_MMAP_THRESHOLD_": os.environ.get("MALLOC_MMAP_THRESHOLD_", _KEPT_BYTES),
        "MALLOC_TRIM_THRESHOLD_": os.environ.get("MALLOC_TRIM_THRESHOLD_", _KEPT_BYTES),
    }


def _failure_message(job: AnyJob, failure: str | None, returncode: int) -> str:
    log = log_folder(job) / f"{job.job}.log"
    reason = failure or (
        f"the worker was ended by signal {-returncode}; if nobody sent it, memory ran out"
        if returncode < 0
        else f"the worker ended with exit code {returncode}"
    )
    return f"{job.job.capitalize()} job failed: {reason} (log: {log})"
