"""Commands in processes of their own: started, watched, and ended in every way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.conftest import environment


def start(
    *words: str, folder: Path, ignores_ctrl_c: bool = False, **variables: str
) -> subprocess.Popen[str]:
    """Start `stagelift WORDS`, with its output in a pipe; a shell's `&` makes it ignore Ctrl-C."""
    with ctrl_c_is_ignored(ignores_ctrl_c):
        return subprocess.Popen(
            [sys.executable, "-m", "stagelift", *words],
            cwd=folder,
            env=environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def ctrl_c_is_ignored(ignored: bool) -> Iterator[None]:
    """Say what a process that is started now does: it would ignore SIGINT wherever we do, and the
    tests may have been started with `&` themselves.
    """
    handler = signal.SIG_IGN if ignored else signal.default_int_handler
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end and return what was printed."""
    output, _ = process.communicate(timeout=300)
    return output


def wait_for(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Wait for what a process is about to do; it must not end before."""
    deadline = time.monotonic() + 240
    while not ready():
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline, "it did not happen within 240 seconds"
        time.sleep(0.01)


def interrupted(
    process: subprocess.Popen[str], ready: Callable[[], bool], strike: Callable[[int], None]
) -> str:
    """Strike a process as soon as it is ready, and return what it printed."""
    wait_for(process, ready)
    strike(process.pid)
    return finish(process)


def in_training(root: Path, kind: str, step: int) -> Callable[[], bool]:
    """Whether a stage of a kind has saved a step."""
    pattern = f"nodes/{kind}-*/checkpoints/checkpoint-{step}/complete"
    return lambda: any(root.glob(pattern))


def in_evaluation(root: Path, kind: str) -> Callable[[], bool]:
    """Whether a stage of a kind has given its responses."""
    return lambda: any(root.glob(f"nodes/{kind}-*/evals/*/generations.jsonl"))


def kill_all(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_worker(pid: int) -> None:
    psutil.Process(pid).children()[0].kill()


def press_ctrl_c(pid: int) -> None:
    os.kill(pid, signal.SIGINT)
