"""JSON that a check refuses."""

from pathlib import Path

import pytest

from stagelift.harness.checks.strict_json import read_strict_json
from stagelift.harness.errors import UsageError


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1, "b": {"x": 1, "x": 0}}', "'x' is there twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "1e999 is no number that 64 bits hold"),
        ("[" * 100_000, "is not JSON that a check can trust"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON that a check can trust"),
        ('{"a": {"\\uD800 half": 1}}', "is not JSON that a check can trust"),
        ("{", "is not JSON that a check can trust"),
        ("[1]", "is neither a report.json nor a baseline"),
    ],
)
def test_what_no_check_can_trust_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "side.json").write_text(text)
    with pytest.raises(UsageError, match=r"side\.json") as refused:
        read_strict_json(tmp_path / "side.json")
    assert sentence in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "side.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UsageError, match="is not JSON"):
        read_strict_json(tmp_path / "side.json")


def test_a_sound_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "side.json").write_text('{"a": {"b": [1.5, null, "\\ud83d\\ude00"]}}')
    assert read_strict_json(tmp_path / "side.json") == {"a": {"b": [1.5, None, "😀"]}}
