"""What tests share: made once by whoever comes first, and noticed where it is written to."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment
from tests.shared import copied, made_once, written_since

MAKE = """
import sys
from pathlib import Path
from tests.shared import made_once

def make(folder):
    print("made")
    (folder / "file").write_text("as made")

print(made_once(Path(sys.argv[1]), "thing", make) / "file")
"""


@pytest.fixture
def thing(tmp_path: Path) -> Path:
    return made_once(tmp_path, "thing", lambda folder: (folder / "file").write_text("as made"))


def test_of_processes_that_need_the_same_folder_one_makes_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKE, str(tmp_path)]
    processes = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum("made" in output.splitlines() for output in outputs) == 1
    assert {output.splitlines()[-1] for output in outputs} == {str(tmp_path / "thing" / "file")}


def test_what_could_not_be_made_is_made_by_the_next(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        made_once(tmp_path, "thing", fail)
    folder = made_once(tmp_path, "thing", lambda folder: (folder / "whole").touch())
    assert [file.name for file in folder.iterdir()] == ["whole"]


def test_what_stays_as_it_was_made_is_not_written_to(thing: Path) -> None:
    assert (thing / "file").read_text() == "as made"
    assert written_since(thing) == []


def test_a_file_that_is_added_changed_or_removed_is_noticed(thing: Path) -> None:
    thing.chmod(0o755)
    (thing / "new").touch()
    assert written_since(thing) == [".", "new"]
    (thing / "new").unlink()
    (thing / "file").chmod(0o644)
    (thing / "file").write_text("as another test would have it")
    assert written_since(thing) == [".", "file"]
    (thing / "file").unlink()
    assert written_since(thing) == [".", "file"]


def test_a_copy_may_be_written_to(thing: Path, tmp_path: Path) -> None:
    copy = copied(thing, tmp_path / "copy")
    (copy / "file").write_text("mine")
    (copy / "new").touch()
    assert written_since(thing) == []
