"""JSON from outside: what is refused, and in which sentence."""

import gzip
import json
from pathlib import Path

import pytest

from stagelift.evals.strict_json import parse_json, read_json, read_rows


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1, "b": {"x": 1, "x": 0}}', "key 'x' is there twice"),
        ('{"a": NaN}', "NaN is no number (column 7)"),
        ('{"a": -Infinity}', ": -Infinity is no number (column 8)"),
        ('{"a": -NaN}', ": -NaN is no number (column 8)"),
        ('{"b": 1, "a": 1, "a": 2, "b": 3, "b": 4}', "key 'a' is there twice"),
        ('{"a": 1e999}', "1e999 is no number that 64 bits hold"),
        ('{"a": -1e999}', "-1e999 is no number that 64 bits hold"),
        ('{"a": ' + "9" * 400 + "}", "a number of more than 308 digits"),
        ('{"a": ' + "9" * 5000 + "}", "a number of more than 308 digits"),
        ('{"a": ' + "[" * 100_000, "nested more than 200 deep"),
        ('{"a":' * 100_000, "nested more than 200 deep"),
        ('{"a": {"\\uD800 half": 1}}', "half of a surrogate pair"),
        ('{"a": "\\udc00"}', "half of a surrogate pair"),
        ('{"a": "one\ntwo"}', "a control character or line end inside of text (line 2"),
        ('{"a": "\x00"}', "a control character"),
        ('{"a": 1} {"b": 2}', "trailing characters"),
        ("{'a': 1}", "key must be a string"),
        ('{"a": 1,}', "trailing comma"),
        ('{\n"a": 1,\n"b" 2}', "(line 3, column 5)"),
        ("{", "EOF while parsing an object"),
        ("", "it ends where a value should stand"),
        ("[1]", "does not hold a JSON object"),
    ],
)
def test_what_cannot_be_trusted_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "side.json").write_text(text)
    with pytest.raises(ValueError, match=r"side\.json ") as refused:
        read_json(tmp_path / "side.json")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": 1}'.encode("utf-16"), "is text in UTF-16. Save it in UTF-8."),
        (b'{"a": "\xff"}', "is not text in UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "is not text in UTF-8"),
        (b"PK\x03\x04", "is a zip archive"),
        (gzip.compress(b'{"a": 1}', mtime=0)[:-9], "is not text in UTF-8, gzipped or not"),
    ],
)
def test_bytes_that_are_no_text_are_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "side.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"side\.json ") as refused:
        read_json(tmp_path / "side.json")
    assert sentence in str(refused.value)


def test_a_sound_object_is_read_whatever_its_line_ends_and_mark(tmp_path: Path) -> None:
    text = '{"a": {"b": [1.5, null, "\\ud83d\\ude00"]},\r\n "n": 18446744073709551616}\r\n'
    (tmp_path / "side.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    content = read_json(tmp_path / "side.json")
    assert content == {"a": {"b": [1.5, None, "😀"]}, "n": 2**64}


def test_what_is_nested_as_deep_as_allowed_can_be_written_again() -> None:
    value = parse_json("[" * 200 + "]" * 200, "here")
    assert json.loads(json.dumps(value)) == value


def test_more_values_than_memory_holds_are_refused_before_any_is_made() -> None:
    with pytest.raises(ValueError, match="here holds more than 20,000,000 values"):
        parse_json("[" + "[]," * 10_100_000 + "[]]", "here")


def test_rows_say_in_which_line_they_are_none(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\r\n\n{"a": NaN}\n{"a": 1, "a": 2}\n{"a": 3}')
    rows = list(read_rows(file, malformed=str))
    assert [number for number, _ in rows] == [1, 3, 4, 5]
    assert rows[0][1] == {"a": 1} and rows[1][1]["a"] != rows[1][1]["a"]
    assert rows[2][1] == f"{file}, line 4 is not valid JSON: key 'a' is there twice."
    with pytest.raises(ValueError, match="line 4 is not valid JSON"):
        list(read_rows(file))


def test_rows_of_a_list_are_numbered_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_bytes(b" \n[1, {}]")
    assert list(read_rows(tmp_path / "rows.json")) == [(1, 1), (2, {})]
