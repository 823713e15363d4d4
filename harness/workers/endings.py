"""Why a process ended that said nothing: its exit code or signal, in a sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from stagelift.evals.credentials import words_without_credentials
from stagelift.harness.workers.killer import Killer, memory_limit
from stagelift.harness.workers.out_of_memory import says_memory_ran_out

_GIGABYTE = 1e9
# what each signal says of a process that nobody meant to end
_MEANINGS = {
    "SIGSEGV": "a library or a driver touched memory that is not its own",
    "SIGBUS": "a file that it had mapped was cut short, or its disk or /dev/shm is full or gone",
    "SIGILL": "a library was built for another CPU than this one",
    "SIGFPE": "a library divided by zero",
    "SIGABRT": "a library gave up",
    "SIGSYS": "it asked the system for what is forbidden here",
    "SIGXCPU": "the limit of CPU time was reached (ulimit -t)",
    "SIGXFSZ": "the limit of a file's size was reached (ulimit -f)",
    "SIGTERM": "somebody, or a cluster's scheduler, asked it to end",
    "SIGHUP": "the terminal or session that it belonged to was closed",
}
_LAST_LINES_BYTES = 4096
# exit codes of Windows from here on are exceptions
_EXCEPTION = 0xC0000000


def ending(returncode: int, killer: Killer, peak: int | None, log: Path, remedy: str) -> str:
    """Say why a process ended with a code, negative for a signal.

    `killer` has counted since before it was started. `peak` is the most memory that it held, in
    bytes, None where that is not known. `remedy` says what takes less.
    """
    if returncode == -_number("SIGKILL"):
        return _killed(killer, peak, remedy)
    if returncode < 0:
        return _signalled(-returncode, log, remedy)
    if returncode >= _EXCEPTION:
        return f"the worker crashed in native code (0x{returncode:X}){_last_line(log)}"
    return (
        f"the worker ended with exit code {returncode} before it was done, as where code that it "
        f"called ends the process itself{_last_line(log)}"
    )


def wait_and_measure(process: subprocess.Popen[str]) -> int | None:
    """Wait for a process to end; return the most memory that it held, in
    bytes (or we did, when it was started: the system counts that in).

    None where the system does not say, or another thread has waited for it.
    """
    try:
        _, status, used = os.wait4(process.pid, 0)
    except (AttributeError, ChildProcessError):
        process.wait()
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    # macOS counts bytes, Linux kibibytes
    return used.ru_maxrss if sys.platform == "darwin" else used.ru_maxrss * 1024


def _killed(killer: Killer, peak: int | None, remedy: str) -> str:
    held = "" if peak is None else f"; it held at most {_of_all(peak)}"
    match killer.has_struck():
        case True:
            return f"the kernel ended the worker (SIGKILL), because memory ran out{held}. {remedy}"
        case False:
            return (
                f"somebody ended the worker (SIGKILL){held}. It was not the kernel for want of "
                "memory, which it would have counted: a person, a scheduler, a container's end, or "
                f"a daemon that watches memory. If memory is short: {remedy}"
            )
        case None:
            return (
                f"the worker was ended (SIGKILL), perhaps because memory ran out{held}. If nobody "
                f"ended it: {remedy}"
            )


def _of_all(peak: int) -> str:
    return f"{peak / _GIGABYTE:.2f} of {memory_limit() / _GIGABYTE:.2f} GB"


def _signalled(number: int, log: Path, remedy: str) -> str:
    name = _name(number)
    meaning = _MEANINGS.get(name, "nobody says why")
    last = _last_line(log)
    # Rust and C++ give up where they get no memory
    memory = f". Memory ran out: {remedy}" if says_memory_ran_out(last) else ""
    return f"the worker was ended by {name}: {meaning}{last}{memory}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _number(name: str) -> int:
    """Return a signal's number; Windows does not have all of them."""
    return int(getattr(signal, name, 9))


def _last_line(log: Path) -> str:
    """Quote what was printed last, before Python says where each thread was."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_LINES_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    said = text.partition("Fatal Python error:")[0].split("\n")
    lines = [words_without_credentials(" ".join(line.split())) for line in said if line.strip()]
    return f" (the last that it printed: {lines[-1][:200]})" if lines else ""
