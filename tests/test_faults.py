"""What nobody foresaw, in a sentence."""

import re
from pathlib import Path

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
