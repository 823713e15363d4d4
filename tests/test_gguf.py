import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from stagelift.evals.models.gguf import file_hash, is_gguf, read_header

FIRST_COUNT = 8
FIRST_PAIR = 24


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "model.gguf", "{{ messages }}")


def written(path: Path, chat_template: str | None) -> Path:
    """Write a GGUF file with text, numbers, arrays of both, and two tensors."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_token_list(["<s>", "a", "ü"])
    writer.add_token_scores([0.0, 1.5, -1.0])
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    writer.add_tensor("token_embd.weight", np.ones((3, 32), dtype=np.float32))
    writer.add_tensor("output_norm.weight", np.ones(32, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_header_says_architecture_and_chat_template(file: Path, tmp_path: Path) -> None:
    header = read_header(file)
    assert (header.architecture, header.chat_template) == ("llama", "{{ messages }}")
    assert read_header(written(tmp_path / "bare.gguf", None)).chat_template is None


def test_a_file_is_known_by_its_name_or_its_beginning(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "blob"
    other.write_bytes(file.read_bytes())
    assert is_gguf(str(file)) and is_gguf(str(other))
    other.write_text("GGU")
    assert not is_gguf(str(other)) and not is_gguf(str(tmp_path))


def test_wherever_a_file_is_cut_off_it_is_said_in_a_sentence(file: Path) -> None:
    whole = file.read_bytes()
    for length in [*range(4, 400, 7), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut off") as raised:
            read_header(file)
        assert str(raised.value).startswith(f"GGUF file '{file}'")


def with_count(whole: bytes, count: int, place: int) -> bytes:
    return whole[:place] + struct.pack("<Q", count) + whole[place + 8 :]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda whole: b"GGML" + whole[4:], "is no GGUF file: it does not begin with GGUF"),
        (lambda whole: whole[:4] + b"\x01\0\0\0" + whole[8:], "of version 1"),
        (lambda whole: with_count(whole, 2**60, FIRST_COUNT), "would not fit"),
        (lambda whole: with_count(whole, 2**60, FIRST_COUNT + 8), "would not fit"),
        (lambda whole: with_count(whole, 2**63, FIRST_PAIR), "within its header"),
        (lambda whole: whole.replace(b"general.architecture", b"general.architectxxx"), "say its"),
        # the type of the first value
        (lambda whole: whole[:52] + b"\x63\0\0\0" + whole[56:], "has the type 99"),
    ],
)
def test_a_damaged_file_is_said_in_a_sentence(
    damage: Callable[[bytes], bytes], says: str, file: Path
) -> None:
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=says):
        read_header(file)


def test_one_of_several_parts_is_refused(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "part.gguf", "llama")
    writer.add_uint16("split.count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match="one of several parts"):
        read_header(tmp_path / "part.gguf")


def test_a_count_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "odd.gguf"
    kinds = {GGUFWriter.add_string: "two", GGUFWriter.add_float32: 0.5, GGUFWriter.add_bool: True}
    for key in ("general.alignment", "split.count"):
        for add, value in kinds.items():
            writer = GGUFWriter(file, "llama")
            add(writer, key, value)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.close()
            with pytest.raises(ValueError, match=f"its {key} is {value!r}, which is no count"):
                read_header(file)


def test_a_file_that_changed_has_another_hash(file: Path) -> None:
    before = file_hash(file)
    assert before == file_hash(file)
    file.write_bytes(file.read_bytes() + b"\0")
    assert file_hash(file) != before
