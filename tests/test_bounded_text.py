"""Text of files from outside, within bounds."""

import gzip
import os
from pathlib import Path

import pytest

from stagelift.evals.bounded_text import first_character, read_lines, read_start, read_text


def test_lines_come_without_ends_and_without_a_mark(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"\xef\xbb\xbfone\r\n\ntwo\xc3\xa9")
    assert list(read_lines(tmp_path / "rows")) == ["one", "", "twoé"]
    (tmp_path / "rows.gz").write_bytes(gzip.compress(b"one\ntwo\n", mtime=0))
    assert list(read_lines(tmp_path / "rows.gz")) == ["one", "two"]


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"one\n\xff\n")
    with pytest.raises(ValueError, match=r"rows, line 2 is not text in UTF-8"):
        list(read_lines(tmp_path / "rows"))


def test_a_line_that_is_longer_than_a_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"\n" + b"a" * (1 << 26) + b"\n")
    with pytest.raises(ValueError, match=r"long, line 2 is longer than 64 MiB"):
        list(read_lines(tmp_path / "long"))
    with pytest.raises(ValueError, match=r"long holds more than 1 MiB of text"):
        read_text(tmp_path / "long", 1 << 20)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    # a hundred parts of 2 MiB each
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"a" * (1 << 21), 1, mtime=0) * 100)
    for read in (read_text, lambda path: list(read_lines(path))):
        with pytest.raises(ValueError, match=r"bomb\.gz holds more than 100 times its own size"):
            read(tmp_path / "bomb.gz")


def test_a_start_is_what_follows_white_space_and_ends_in_a_whole_character(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("\n \n{é" + "é" * 100_000)
    text, is_all = read_start(tmp_path / "rows", 4)
    assert text == "{" + "é" * (len(text) - 1) and not is_all
    assert read_start(tmp_path / "rows", 1 << 20) == ("{" + "é" * 100_001, True)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is no file"):
        read_text(tmp_path / "pipe")


def test_the_first_character_is_behind_white_space_however_long(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(" \n" * 100_000 + "[")
    assert first_character(tmp_path / "rows") == "["
    (tmp_path / "none").write_text("\n\n")
    assert first_character(tmp_path / "none") == ""
