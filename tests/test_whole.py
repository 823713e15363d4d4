"""Files and folders appear whole: what a killed writer left goes, and what a living one writes
stays.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.evals.disk_space import DiskFull, full_disk
from stagelift.evals.whole import (
    finish_replacing,
    remove_left_files,
    remove_left_folders,
    replaced_folder,
    write_bytes,
)
from tests.conftest import environment

# Windows has neither
fcntl = pytest.importorskip("fcntl")
resource = pytest.importorskip("resource")

KILLED = """
import os, signal
from pathlib import Path
from stagelift.evals.whole import replaced_file, replaced_folder
with {how}(Path("result")) as beside:
    {fill}
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while(how: str, fill: str, folder: Path) -> None:
    command = [sys.executable, "-c", KILLED.format(how=how, fill=fill)]
    done = subprocess.run(command, cwd=folder, env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_next_writer_removes_what_a_killed_one_left_of_the_same_file(tmp_path: Path) -> None:
    killed_while("replaced_file", "beside.write_text('half')", tmp_path)
    (left,) = names(tmp_path)
    assert left.startswith(".result.") and left.endswith(".tmp")
    write_bytes(tmp_path / "result", b"whole")
    assert names(tmp_path) == ["result"]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    living, dead = tmp_path / ".result.1.tmp", tmp_path / ".result.2.tmp"
    dead.write_text("half")
    with living.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_left_files(tmp_path)
        write_bytes(tmp_path / "result", b"whole")
    assert names(tmp_path) == [".result.1.tmp", "result"]


def test_files_of_others_stay_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "mine.tmp").write_text("mine")
    (tmp_path / ".link.tmp").symlink_to("nowhere")
    remove_left_files(tmp_path)
    assert names(tmp_path) == [".link.tmp", "mine.tmp"]


def test_a_folder_that_was_being_filled_by_a_killed_process_goes(tmp_path: Path) -> None:
    killed_while("replaced_folder", "(beside / 'half').touch()", tmp_path)
    assert names(tmp_path) == ["result.part"]
    remove_left_folders(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_was_being_replaced_is_never_lost(tmp_path: Path) -> None:
    (tmp_path / "result.before").mkdir()
    (tmp_path / "result.before" / "hours of work").touch()
    (tmp_path / "result.part").mkdir()
    remove_left_folders(tmp_path)
    assert names(tmp_path) == ["result"]
    assert names(tmp_path / "result") == ["hours of work"]
    finish_replacing(tmp_path / "result")
    assert names(tmp_path / "result") == ["hours of work"]


def test_a_folder_that_could_not_be_filled_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "old").touch()
    with pytest.raises(KeyError), replaced_folder(tmp_path / "result"):
        raise KeyError
    assert names(tmp_path) == ["result"] and names(tmp_path / "result") == ["old"]


def test_what_does_not_fit_names_the_path_and_the_space_and_leaves_what_was_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.html"
    write_bytes(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(DiskFull) as refused:
            write_bytes(path, b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = str(refused.value)
    assert said.startswith(f"{path} could not be written: ") and " are free there." in said
    assert path.read_bytes() == b"old" and names(tmp_path) == ["report.html"]


def test_what_a_library_says_of_a_full_disk_is_told_with_the_path_where_it_was_to_be(
    tmp_path: Path,
) -> None:
    said = RuntimeError("I/O error: No space left on device (os error 28)")
    refused = pytest.raises(DiskFull, match="adapter could not be written")
    with refused, replaced_folder(tmp_path / "adapter"):
        raise said
    assert names(tmp_path) == []


def test_a_full_disk_is_known_by_the_words_of_libraries(tmp_path: Path) -> None:
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    assert "the disk is full" in str(full_disk(RuntimeError(said), tmp_path / "adapter"))
    assert full_disk(RuntimeError("no GPU is left"), tmp_path) is None
