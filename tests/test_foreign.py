"""Files of another kind are called by what they are."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.foreign import refuse_another_kind

RESULTS = {"results": {"gsm8k": {"exact_match,strict-match": 0.2}}, "lm_eval_version": "0.4.9"}
LOG = {"version": 2, "status": "success", "eval": {"task": "arc"}, "samples": []}
ANNOTATION = {"instruction": "i", "output_1": "a", "output_2": "b", "preference": 1}
OUTPUTS = {"instruction": "i", "output": "a", "generator": "m"}


def refused(content: Any, folder: Path, *, indent: int | None = None) -> str:
    file = folder / "file.json"
    file.write_text(json.dumps(content, indent=indent))
    with pytest.raises(ValueError, match="so nothing was imported") as refusal:
        refuse_another_kind(file, "lm-eval's samples")
    return str(refusal.value)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (RESULTS, "lm-eval's results"),
        (LOG, "a log of Inspect"),
        ({"prompt": ["a", "b"], "completion": ["c", "d"]}, "columns"),
        ([ANNOTATION], "AlpacaEval's annotations"),
        ([OUTPUTS], "without a judge's preferences"),
        ({"id": 1, "prompt": "p", "response": "r"}, "responses by line"),
    ],
)
def test_a_file_of_another_kind_is_called_by_what_it_is(
    content: Any, kind: str, indent: int | None, tmp_path: Path
) -> None:
    message = refused(content, tmp_path, indent=indent)
    assert kind in message and "--log_samples" in message


def test_an_object_of_many_lines_is_no_rows(tmp_path: Path) -> None:
    assert "one JSON object, and not rows" in refused({"a": {"b": 1}}, tmp_path, indent=1)


def test_what_is_wanted_and_what_is_not_known_stay_for_the_reader_of_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    for rows in ([{"doc_id": 1, "doc": {}, "resps": []}], [{"unknown": 1}], ["no object"], []):
        file.write_text("\n".join(map(json.dumps, rows)))
        refuse_another_kind(file, "lm-eval's samples")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "zip archive"),
        (b"\xff\xfea\x00", "not text in UTF-8"),
        # a fixed time, because the bytes are the test's name, which must be the same everywhere
        (gzip.compress(b"[1]", mtime=0)[:-9], "not text in UTF-8"),
        (gzip.compress(b"[1]", mtime=0)[:12] + b"\xff" * 20, "not text in UTF-8"),
    ],
)
def test_what_is_no_text_is_said_to_be_none(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        refuse_another_kind(file, "responses by line")
