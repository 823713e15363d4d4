from pathlib import Path

import pytest

from stagelift.evals.files import (
    append_records,
    read_record,
    read_records,
    write_records,
    write_text,
)
from stagelift.evals.records import Metric
from stagelift.evals.strict_json import read_json

ONE = Metric(value=1, low=0, high=2, n=3)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_records(path, [ONE, ONE])
    path.write_text(path.read_text() + '{"value": 1, "lo')
    assert read_records(path, Metric) == [ONE, ONE]


@pytest.mark.parametrize("torn", [b'{"text": "\xe5', b'{"text": "\xe5\xad', b"\xff"])
def test_a_last_line_torn_in_the_middle_of_a_character_is_left_out(
    tmp_path: Path, torn: bytes
) -> None:
    path = tmp_path / "rows.jsonl"
    append_records(path, [ONE])
    path.write_bytes(path.read_bytes() + torn)
    assert read_records(path, Metric) == [ONE]
    append_records(path, [ONE])
    assert read_records(path, Metric) == [ONE, ONE]


def test_what_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(ONE.model_dump_json().encode() + b"\n\xff\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2 is damaged: no Metric"):
        read_records(tmp_path / "rows.jsonl", Metric)
    (tmp_path / "metric.json").write_bytes(b'{"value": "\xff"}')
    with pytest.raises(ValueError, match=r"metric\.json is damaged: no Metric"):
        read_record(tmp_path / "metric.json", Metric)


def test_appending_after_a_torn_line_does_not_lose_the_new_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_records(path, [ONE])
    path.write_text(path.read_text() + '{"torn')
    append_records(path, [ONE])
    assert read_records(path, Metric) == [ONE, ONE]


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none.jsonl", Metric) == []


def test_writing_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.jsonl"
    write_text(path, "old")
    write_records(path, [ONE])
    assert read_records(path, Metric) == [ONE]
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_record_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(f"{ONE.model_dump_json()}\n{{}}\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2 is damaged") as refused:
        read_records(tmp_path / "rows.jsonl", Metric)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_bad_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.json is not valid JSON"):
        read_json(tmp_path / "bad.json")


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 100_000, '"\\ud800"'])
def test_a_record_with_what_no_writer_writes_is_named_in_a_short_sentence(
    tmp_path: Path, value: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{{"value": {value}}}\n')
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 1 is damaged") as refused:
        read_records(tmp_path / "rows.jsonl", Metric)
    assert len(str(refused.value)) < 300 + len(str(tmp_path))


def test_a_record_that_is_longer_than_any_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b" " * (1 << 27) + b"1\n")
    with pytest.raises(ValueError, match=r"line 1 is damaged: it has 128 MiB, and 128 is the most"):
        read_records(tmp_path / "rows.jsonl", Metric)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('"value": NaN, "low": 0, "high": 1, "n": 3', "NaN is no number"),
        ('"value": 0, "low": -Infinity, "high": 1, "n": 3', "-Infinity is no number"),
        ('"value": 0, "low": 0, "high": 1e999, "n": 3', "no number that 64 bits hold"),
        ('"value": 0, "value": 1, "low": 0, "high": 1, "n": 3', "'value' is there twice"),
    ],
)
def test_a_record_that_no_writer_writes_is_refused(tmp_path: Path, written: str, says: str) -> None:
    (tmp_path / "one.json").write_text(f"{{{written}}}")
    with pytest.raises(ValueError, match=says):
        read_record(tmp_path / "one.json", Metric)
