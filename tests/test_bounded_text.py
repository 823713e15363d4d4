"""Text of files from outside, within bounds."""

import gzip
import os
from pathlib import Path

import pytest

from stagelift.evals.bounded_text import first_character, read_lines, read_text


def test_lines_come_without_ends_and_without_a_mark(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"\xef\xbb\xbfone\r\n\ntwo\xc3\xa9")
    assert list(read_lines(tmp_path / "rows")) == ["one", "", "twoé"]
    (tmp_path / "rows.gz").write_bytes(gzip.compress(b"one\ntwo\n", mtime=0))
    assert list(read_lines(tmp_path / "rows.gz")) == ["one", "two"]


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"one\n\xff\n")
    with pytest.raises(ValueError, match=r"rows, line 2 is not text in UTF-8"):
        list(read_lines(tmp_path / "rows"))


def test_a_line_that_unpacks_to_more_than_a_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\n" + b"a" * (1 << 27), 1, mtime=0))
    with pytest.raises(ValueError, match=r"bomb\.gz, line 2 is longer than 64 MiB"):
        list(read_lines(tmp_path / "bomb.gz"))
    with pytest.raises(ValueError, match=r"bomb\.gz holds more than 1 MiB of text"):
        read_text(tmp_path / "bomb.gz", 1 << 20)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is no file"):
        read_text(tmp_path / "pipe")


def test_the_first_character_is_behind_white_space_however_long(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(" \n" * 100_000 + "[")
    assert first_character(tmp_path / "rows") == "["
    (tmp_path / "none").write_text("\n\n")
    assert first_character(tmp_path / "none") == ""
