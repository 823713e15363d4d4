"""A lock says who holds it, and one whose process is gone is free."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.evals.files import write_record
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import Store, lock_run
from stagelift.harness.locks import Held, Holder, held, holder, is_held
from tests.conftest import environment

HOLDS = """
import sys
from pathlib import Path
from stagelift.harness.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_who_finds_a_run_locked_is_told_by_which_process_since_when(tmp_path: Path) -> None:
    folder = Store(tmp_path).run("mine")
    process = holding(folder.lock_file)
    with pytest.raises(UsageError) as refused, lock_run(folder):
        pass
    assert f"process {process.pid}, since 20" in str(refused.value)
    process.communicate()
    with lock_run(folder):
        assert is_held(folder.lock_file)
    assert not is_held(folder.lock_file)


def test_who_waits_is_told_for_whom_and_then_goes_on(tmp_path: Path) -> None:
    process, told = holding(tmp_path / ".lock"), list[str]()

    def say(words: str) -> None:
        told.append(words)
        assert process.stdin is not None
        process.stdin.close()

    with held(tmp_path / ".lock", say):
        assert told[0].startswith(f"process {process.pid}")
    process.wait()


def test_a_lock_of_a_killed_process_is_free_whatever_it_says(tmp_path: Path) -> None:
    process = holding(tmp_path / ".lock")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    said = Holder(pid=os.getppid(), host=socket.gethostname(), since="2099-01-01T00:00:00+00:00")
    write_record(tmp_path / ".lock.holder", said)
    with held(tmp_path / ".lock"):
        pass


def test_another_host_is_named(tmp_path: Path) -> None:
    said = Holder(pid=7, host="node12", since="2026-01-01T00:00:00+00:00")
    write_record(tmp_path / ".lock.holder", said)
    assert holder(tmp_path / ".lock") == "process 7 on node12, since 2026-01-01T00:00:00+00:00"


def test_a_lock_within_one_process_counts_too(tmp_path: Path) -> None:
    with held(tmp_path / ".lock"), pytest.raises(Held), held(tmp_path / ".lock"):
        pass
