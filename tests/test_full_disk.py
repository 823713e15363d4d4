"""A disk that is full ends a command with 70, the path and the command that goes on."""

import errno
from pathlib import Path

import pytest

from stagelift.evals.disk_space import DiskFull
from stagelift.harness.commands.options import told_if_full, usage_errors


@pytest.mark.parametrize(
    "error",
    [DiskFull("runs/x could not be written: the disk is full."), OSError(errno.ENOSPC, "no", "x")],
)
def test_a_full_disk_is_no_bad_input_and_says_how_to_go_on(
    error: OSError, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, told_if_full(tmp_path), usage_errors():
        raise error
    said = capsys.readouterr().err
    assert ended.value.code == 70
    assert "x could not be written: the disk is full." in said and "Go on with: stagelift" in said
