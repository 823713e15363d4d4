from pathlib import Path

import pytest

from stagelift.evals.files import append_records, read_json, read_records, write_records, write_text
from stagelift.evals.records import Metric

ONE = Metric(value=1, low=0, high=2, n=3)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_records(path, [ONE, ONE])
    path.write_text(path.read_text() + '{"value": 1, "lo')
    assert read_records(path, Metric) == [ONE, ONE]


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


def test_bad_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json is not valid JSON"):
        read_json(tmp_path / "bad.json")
