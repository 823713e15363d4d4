"""Zip archives from outside: what is refused before anybody reads them."""

import io
import zipfile
from pathlib import Path

import pytest

from stagelift.evals.imports.archives import refuse_unsafe_archive


def archive(path: Path, *names: str, content: bytes = b"{}") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in names:
            opened.writestr(name, content)
    return path


def test_an_archive_of_a_log_is_read(tmp_path: Path) -> None:
    names = ("./", "header.json", "samples/1_epoch_1.json", "_journal/start.json")
    refuse_unsafe_archive(archive(tmp_path / "x.eval", *names))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "..\\x", "C:\\x"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leads out of the archive"):
        refuse_unsafe_archive(archive(tmp_path / "x.eval", "header.json", name))


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = archive(tmp_path / "x.eval", "header.json", "header.json")
    with pytest.raises(ValueError, match=r"holds 'header\.json' twice"):
        refuse_unsafe_archive(file)


def test_an_archive_that_says_it_is_larger_than_is_read_is_refused(tmp_path: Path) -> None:
    file = archive(tmp_path / "x.eval", "header.json")
    content = file.read_bytes()
    # both headers say 3 GiB; little-endian, after the compressed size
    size, huge = (2).to_bytes(4, "little"), (3 << 30).to_bytes(4, "little")
    compressed = (4).to_bytes(4, "little")
    assert content.count(compressed + size) == 2
    file.write_bytes(content.replace(compressed + size, compressed + huge))
    with pytest.raises(ValueError, match="holds 3,072 MiB when unpacked"):
        refuse_unsafe_archive(file)


def test_a_member_that_holds_more_than_it_says_is_refused(tmp_path: Path) -> None:
    file = archive(tmp_path / "x.eval", "header.json", content=b"0" * 100_000)
    size, little = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    content = file.read_bytes()
    assert content.count(size) == 2
    file.write_bytes(content.replace(size, little))
    with pytest.raises(ValueError, match="damaged archive"):
        refuse_unsafe_archive(file)


def test_what_is_cut_off_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO(archive(tmp_path / "x.eval", "header.json").read_bytes())
    (tmp_path / "x.eval").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(ValueError, match="damaged archive"):
        refuse_unsafe_archive(tmp_path / "x.eval")
