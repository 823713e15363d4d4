"""What nobody foresaw, in a sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.harness.commands.faults import told


def test_what_led_to_a_fault_lies_in_a_file_of_its_owner() -> None:
    said = told(KeyError("a"))
    (file,) = map(Path, re.findall(r"What led to it is in (\S+), with", said))
    assert "command: stagelift" in file.read_text("utf-8") and "KeyError" in file.read_text("utf-8")
    assert file.stat().st_mode & 0o077 == 0
    file.unlink()


def test_a_page_of_words_becomes_a_sentence() -> None:
    said = told(RuntimeError("a word\n" * 1000))
    (file,) = map(Path, re.findall(r"What led to it is in (\S+), with", said))
    file.unlink()
    assert "\n" not in said and len(said) < 600


@pytest.mark.parametrize("module", ["stagelift", "stagelift.harness"])
def test_a_package_that_is_missing_is_said_in_a_sentence(module: str, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('No module named typer')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", module, "runs"], env=environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (70, "")
    (said,) = ended.stderr.splitlines()
    assert said.startswith("Error: The installation is not whole (ModuleNotFoundError: No module")
    assert "Install stagelift again." in said
