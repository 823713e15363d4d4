"""Paths that are too long or read-only are a sentence and bad input, before anything is written."""

import errno
import sys
from pathlib import Path

import pytest

from stagelift.harness.commands.endings import ended
from stagelift.harness.commands.options import usage_errors
from stagelift.harness.commands.refused_paths import refused_path
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import check_takes_files

LONG = "n" * 3600


def test_a_path_that_is_refused_is_said_in_a_sentence_that_does_not_repeat_all_of_it() -> None:
    said = refused_path(OSError(errno.ENAMETOOLONG, "File name too long", LONG))
    assert said is not None and "longer path than this system takes" in said and len(said) < 400
    read_only = refused_path(OSError(errno.EROFS, "Read-only file system", "runs/tiny"))
    assert read_only is not None and read_only.startswith("runs/tiny cannot be written")
    assert refused_path(OSError(errno.EIO, "I/O error", "runs")) is None
    assert refused_path(ValueError("File name too long")) is None


@pytest.mark.parametrize("catching", [usage_errors, ended])
def test_a_name_that_is_too_long_is_bad_input_wherever_it_is_met(
    catching: type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has other words for it")
    with pytest.raises(SystemExit) as refused, catching():
        (tmp_path / LONG).read_bytes()
    assert refused.value.code == 2
    assert "Give a shorter one." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit to ask for")
def test_a_runs_folder_whose_files_would_have_too_long_paths_is_refused_at_once() -> None:
    root = Path("/".join(["x" * 100] * 39))
    with pytest.raises(UsageError, match="too long for a runs folder"):
        check_takes_files(root)
    check_takes_files(Path("runs"))
