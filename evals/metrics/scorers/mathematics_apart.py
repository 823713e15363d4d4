"""math-verify in a process of its own, for threads: its limit is an alarm, which only a main thread
can set.

One process serves all threads, one response after the other. It ends when our end of its pipe
closes, and so with us.
"""

import os
import subprocess
import sys
import threading
from typing import Any

from stagelift.evals.metrics.scorers.scorer import Row
from stagelift.evals.records import Record, Scored

# seconds: the alarm rings long before, unless what computes does not listen
_LIMIT = 60.0
_MODULE = "stagelift.evals.metrics.scorers.mathematics_process"


class Question(Record):
    """A response, and the target of its row."""

    response: str
    target: Any


def scored_apart(response: str, row: Row) -> Scored:
    """Have a response scored. Raises TimeoutError where there is no answer in time."""
    # half of a surrogate pair is no text that can be passed on
    passed = response.encode(errors="replace").decode()
    question = Question(response=passed, target=row["target"])
    return Scored.model_validate_json(_PROCESS.ask(question.model_dump_json()))


class _Process:
    """The process, started when it is first asked and again where it had to be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._asked_by = 0

    def ask(self, question: str) -> str:
        """Return the answer to a line."""
        with self._lock:
            process = self._started()
            late = threading.Timer(_LIMIT, process.kill)
            late.start()
            try:
                answer = _said(process, question)
            finally:
                late.cancel()
        if not answer:
            raise TimeoutError(f"math-verify did not answer within {_LIMIT:g} s, or was ended")
        return answer

    def _started(self) -> "subprocess.Popen[str]":
        # a fork of ours has a process of its own: two would read each other's answers
        is_ours = self._asked_by == os.getpid()
        self._asked_by = os.getpid()
        if self._running is None or not is_ours or self._running.poll() is not None:
            self._running = subprocess.Popen(
                # -P: nothing in the working folder shadows a package
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        return self._running


def _said(process: "subprocess.Popen[str]", question: str) -> str:
    """Ask, and return the line that comes back; nothing where the process has ended."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(f"{question}\n")
        process.stdin.flush()
    except BrokenPipeError:
        process.wait()
    answer = process.stdout.readline()
    if not answer:
        process.wait()
    return answer


_PROCESS = _Process()
