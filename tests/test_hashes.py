"""Hashes beside files: what they tell, also where they are damaged themselves."""

from pathlib import Path

import pytest

from stagelift.evals.files import read_numbered, write_numbered, write_text
from stagelift.evals.hashes import (
    DIFFERS,
    HASHES,
    MISSING,
    Damage,
    compared,
    finish_folder,
    hashes_of,
    replace_hashed,
    write_hashes_again,
)
from stagelift.evals.records import Hashed


class Last(Hashed):
    """What says that the folder is whole."""

    value: int


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_text(tmp_path / "a.txt", "a\n")
    write_text(tmp_path / "below" / "b.txt", "b\n")
    files = [tmp_path / "a.txt", tmp_path / "below" / "b.txt"]
    finish_folder(tmp_path, files, tmp_path / "last.json", Last(value=1))
    return tmp_path


def look(folder: Path) -> list[Damage] | None:
    return compared(folder, [folder / "last.json"])


def test_a_folder_that_stays_as_it_is_is_whole(folder: Path) -> None:
    assert look(folder) == []
    assert set(hashes_of(folder, [])) == {"a.txt", "below/b.txt", "last.json"}


def test_a_file_that_is_changed_or_gone_is_named(folder: Path) -> None:
    (folder / "a.txt").write_text("A\n")
    (folder / "below" / "b.txt").unlink()
    assert look(folder) == [
        Damage(folder / "a.txt", DIFFERS),
        Damage(folder / "below" / "b.txt", MISSING),
    ]


def test_a_changed_record_is_named_by_the_hashes_and_lost_hashes_by_the_record(
    folder: Path,
) -> None:
    last, before = folder / "last.json", (folder / "last.json").read_bytes()
    last.write_bytes(before.replace(b'"value": 1', b'"value": 2'))
    assert look(folder) == [Damage(last, DIFFERS)]
    last.write_bytes(before)
    (folder / HASHES).unlink()
    assert look(folder) == [Damage(folder / HASHES, MISSING)]
    (folder / HASHES).write_text("{}")
    assert look(folder) == [Damage(folder / HASHES, DIFFERS)]
    write_hashes_again(folder, [last])
    assert look(folder) == []


def test_one_digit_of_the_hashes_is_no_damage_of_the_file_it_is_of(folder: Path) -> None:
    text = (folder / HASHES).read_text()
    place = text.index('"a.txt": "') + len('"a.txt": "')
    digit = "0" if text[place] != "0" else "1"
    (folder / HASHES).write_text(text[:place] + digit + text[place + 1 :])
    assert look(folder) == [Damage(folder / HASHES, DIFFERS)]


def test_what_earlier_code_wrote_is_not_called_damaged(tmp_path: Path) -> None:
    write_text(tmp_path / "last.json", '{"value": 1}\n')
    assert look(tmp_path) is None


def test_a_file_that_comes_later_has_its_hash_too(folder: Path) -> None:
    replace_hashed(folder, folder / "votes.txt", "one\n")
    replace_hashed(folder, folder / "votes.txt", "two\n")
    assert look(folder) == []
    (folder / "votes.txt").write_text("three\n")
    assert look(folder) == [Damage(folder / "votes.txt", DIFFERS)]


def test_a_numbered_file_knows_its_own_hash(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_numbered(file, {"value": 17}, 1)
    assert read_numbered(file, Last, 1).value == 17
    file.write_text(file.read_text().replace("17", "18"))
    with pytest.raises(ValueError, match=r"run\.json is not what was written: its sha256 differs"):
        read_numbered(file, Last, 1)
