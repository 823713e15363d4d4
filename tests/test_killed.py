"""Why a worker ended that said nothing: real processes, ended by real signals."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stagelift.harness.workers.endings import ending, wait_and_measure
from stagelift.harness.workers.killer import Killer, memory_limit

LESS = "Lower the batch."
TEN_MEGABYTES = 10_000_000


def ended_by(code: str, killer: Killer, log: Path) -> str:
    """Say of a Python process with this code why it ended; what it prints is its log."""
    imports = "import os, signal, sys, faulthandler\nfaulthandler.enable()\n"
    command = [sys.executable, "-c", imports + code]
    with log.open("w") as printed:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=printed, text=True, stdin=subprocess.PIPE
        )
        peak = wait_and_measure(process)
    return ending(process.returncode, killer, peak, log, LESS)


def counters(folder: Path, count: int | None) -> Killer:
    """Give a killer whose counters lie in a folder, as a container of cgroup v2 has them."""
    folder.mkdir(exist_ok=True)
    own = folder / "cgroup"
    own.write_text("0::/some/where/else\n")
    if count is not None:
        (folder / "memory.events").write_text(f"low 0\nhigh 3\noom 1\noom_kill {count}\n")
    return Killer(own, folder, folder / "vmstat")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("SIGSEGV", "touched memory that is not its own"),
        ("SIGBUS", "a file that it had mapped was cut short"),
        ("SIGILL", "built for another CPU"),
        ("SIGABRT", "a library gave up"),
        ("SIGFPE", "divided by zero"),
        ("SIGTERM", "asked it to end"),
        ("SIGXCPU", "limit of CPU time"),
        ("SIGUSR1", "nobody says why"),
    ],
)
def test_each_signal_is_a_sentence(tmp_path: Path, name: str, means: str) -> None:
    loading = "print('loading', file=sys.stderr, flush=True)\n"
    code = f"{loading}signal.raise_signal(signal.{name})"
    said = ended_by(code, counters(tmp_path, 0), tmp_path / "log")
    assert said.startswith(f"the worker was ended by {name}: ") and means in said
    assert "(the last that it printed: loading)" in said


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_library_that_gives_up_for_memory_is_said_so(tmp_path: Path) -> None:
    code = (
        "print('memory allocation of 4096 bytes failed', file=sys.stderr, flush=True)\nos.abort()"
    )
    said = ended_by(code, counters(tmp_path, 0), tmp_path / "log")
    assert "memory allocation of 4096 bytes failed). Memory ran out: Lower the batch." in said


KILLED = "held = bytearray(50_000_000)\nos.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_kill_says_whose_it_was_and_how_much_memory_was_held(tmp_path: Path) -> None:
    killer = counters(tmp_path, 2)
    said = ended_by(KILLED, killer, tmp_path / "log")
    # Linux counts the most that the parent held into what the child did
    assert said.startswith("somebody ended the worker (SIGKILL); it held at most ")
    assert "It was not the kernel for want of memory" in said and said.endswith(LESS)
    # the same kill, and the kernel has counted it meanwhile
    counters(tmp_path, 3)
    said = ended_by(KILLED, killer, tmp_path / "log")
    assert said.startswith("the kernel ended the worker (SIGKILL), because memory ran out; it held")
    assert said.endswith(LESS)
    said = ended_by(KILLED, counters(tmp_path / "nothing", None), tmp_path / "log")
    assert said.startswith(
        "the worker was ended (SIGKILL), perhaps because memory ran out; it held"
    )


def test_an_exit_without_a_word_and_a_crash_on_windows_are_sentences(tmp_path: Path) -> None:
    said = ended_by("os._exit(7)", counters(tmp_path, 0), tmp_path / "log")
    assert said.startswith("the worker ended with exit code 7 before it was done")
    crashed = ending(0xC0000005, counters(tmp_path, 0), None, tmp_path / "no log", LESS)
    assert crashed == "the worker crashed in native code (0xC0000005)"


def test_the_kernels_counters_are_found_in_both_versions_of_control_groups(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("9:name=systemd:/\n4:memory:/slice/job\n0::/\n")
    group = tmp_path / "memory" / "slice" / "job"
    group.mkdir(parents=True)
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    (group / "memory.limit_in_bytes").write_text(f"{TEN_MEGABYTES}\n")
    (tmp_path / "vmstat").write_text("nr_free_pages 1\noom_kill 9\n")
    killer = Killer(own, tmp_path, tmp_path / "vmstat")
    assert killer.has_struck() is False
    # another group's
    (tmp_path / "vmstat").write_text("nr_free_pages 1\noom_kill 10\n")
    assert killer.has_struck() is False
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert killer.has_struck() is True
    assert memory_limit(own, tmp_path) == TEN_MEGABYTES


def test_without_a_limit_there_is_the_memory_of_the_machine(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/\n")
    (tmp_path / "memory.max").write_text("max\n")
    total = psutil.virtual_memory().total
    assert memory_limit(own, tmp_path) == memory_limit(tmp_path / "none", tmp_path) == total
