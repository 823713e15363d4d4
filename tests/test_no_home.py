"""A machine without a home folder, as containers are that run as a user nobody knows; without a
working folder, or standard streams.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment

# as another user who may read what root may
UNKNOWN_USER = """
import os, sys
os.setreuid(54321, -1)
sys.argv = ["stagelift", "run", "quickstart", "--dry-run"]
from stagelift.harness.cli import main
main()
"""


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root becomes another user"
)
def test_a_run_without_a_home_folder_says_so(tmp_path: Path) -> None:
    variables = environment()
    del variables["HOME"]
    done = subprocess.run(
        [sys.executable, "-c", UNKNOWN_USER],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "There is no home folder" in done.stderr and "HOME=/tmp/me" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the folder that one is in")
def test_a_working_folder_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m stagelift verify mine"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: The working folder is gone")


@pytest.mark.skipif(sys.platform == "win32", reason="closed by a shell of Unix")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed_end_nothing(tmp_path: Path, closed: str) -> None:
    command = f"{sys.executable} -m stagelift runs {closed}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
