"""Formats are recognised by what is seen of a file, and others are called by what they are."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.formats import reader_named, reader_of
from stagelift.evals.imports.lm_eval_folder import LM_EVAL
from stagelift.evals.imports.seen import look_at

RESULTS = {"results": {"gsm8k": {"exact_match,strict-match": 0.2}}, "lm_eval_version": "0.4.9"}
ANNOTATION = {"instruction": "i", "output_1": "a", "output_2": "b", "preference": 1}
BOARD = [{"": "m", "win_rate": 2.6, "standard_error": 0.5, "n_total": 805}]
OUTPUTS = {"instruction": "i", "output": "a", "generator": "m"}
SAMPLE = {"doc_id": 1, "doc": {}, "resps": []}
RESPONSE = {"id": 1, "prompt": "p", "response": "r"}


def written(content: Any, folder: Path, *, indent: int | None = None) -> Path:
    file = folder / "file.json"
    file.write_text(json.dumps(content, indent=indent))
    return file


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        ([ANNOTATION], "alpaca-eval"),
        ([SAMPLE, SAMPLE], "lm-eval"),
        ([RESPONSE], "responses"),
        (RESPONSE, "responses"),
    ],
)
def test_a_format_is_recognised_by_the_keys_of_its_first_row(
    content: Any, name: str, indent: int | None, tmp_path: Path
) -> None:
    assert reader_of(written(content, tmp_path, indent=indent)).name == name


def test_lines_are_recognised_by_the_first_gzipped_or_not(tmp_path: Path) -> None:
    lines = f"{json.dumps(SAMPLE)}\n{json.dumps(RESPONSE)}\n".encode()
    for name, content in (("a.jsonl", lines), ("a.jsonl.gz", gzip.compress(lines, mtime=0))):
        (tmp_path / name).write_bytes(content)
        assert reader_of(tmp_path / name).name == "lm-eval"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (RESULTS, ["lm-eval's results", "--log_samples"]),
        (BOARD, ["AlpacaEval's leaderboard", "annotations.json"]),
        ({"a": {"b": 1}}, ["a JSON object of", "responses by row"]),
        ([{"question": "q", "gold": "g"}], ["'gold', 'question'"]),
    ],
)
def test_what_is_no_format_is_answered_with_what_was_seen_and_what_would_work(
    content: Any, words: list[str], indent: int | None, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="nothing was imported") as refusal:
        reader_of(written(content, tmp_path, indent=indent))
    assert all(word in str(refusal.value) for word in words), refusal.value


def test_a_named_format_is_taken_unless_the_file_is_plainly_another(tmp_path: Path) -> None:
    assert reader_of(written([{"unknown": 1}], tmp_path), LM_EVAL).name == "lm-eval"
    with pytest.raises(ValueError, match="is AlpacaEval's annotations, so nothing was imported"):
        reader_of(written([ANNOTATION], tmp_path), LM_EVAL)
    with pytest.raises(ValueError, match="There is no format 'x'"):
        reader_named("x")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\xff\xfea\x00", "no text"),
        # a fixed time, because the bytes are the test's name, which must be the same everywhere
        (gzip.compress(b"[1]", mtime=0)[:-9], "no text"),
        (b"", "an empty file"),
        (b"id,prompt,response\n1,p,r\n", "CSV"),
        (b"PAR1....PAR1", "Parquet"),
        (b"once upon a time", "text"),
        (b"[" * 100_000, "a JSON list"),
    ],
)
def test_a_file_is_called_by_its_kind(content: bytes, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    assert look_at(file).kind == kind


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": ' + b"9" * 5_000 + b"}", "is not valid JSON: a number of more than 308 digits"),
        (b'{"a":' * 50_000, "is not valid JSON: it is nested more than 200 deep"),
        (b"id,prompt\n\xff", "is not text in UTF-8"),
        (gzip.compress(b"\n" * (1 << 21), 1, mtime=0) * 100, "holds more than 100 times"),
        (b"PAR1....PAR1", "is no Parquet file that can be read"),
    ],
    ids=["digits", "deep", "bytes", "bomb", "Parquet"],
)
def test_why_nothing_can_be_seen_in_a_file_is_said(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(ValueError, match=problem + r".*\. Nothing was imported\."):
        reader_of(tmp_path / "rows")


def test_only_the_start_of_lines_is_looked_at(tmp_path: Path) -> None:
    rows = json.dumps(RESPONSE).encode() + b"\n"
    (tmp_path / "rows").write_bytes(rows * 30_000 + b"\xff")
    assert look_at(tmp_path / "rows").first == RESPONSE
    long = {**RESPONSE, "response": "r" * (1 << 21)}
    for content in (json.dumps([long, long]), f"{json.dumps(long)}\n{json.dumps(long)}"):
        (tmp_path / "rows").write_text(content)
        assert look_at(tmp_path / "rows").first == long


def test_a_folder_is_seen_with_the_names_in_it(tmp_path: Path) -> None:
    (tmp_path / "b.json").touch()
    (tmp_path / "a.json").touch()
    seen = look_at(tmp_path)
    assert (seen.kind, seen.names) == ("a folder", ("a.json", "b.json"))
