"""Rows come from JSON lines, lists and columns, CSV and Parquet, under the names asked for."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from stagelift.evals.bounded_text import read_text
from stagelift.evals.imports.columns import parse_columns, renamed
from stagelift.evals.imports.messages import prompt_text, response_text
from stagelift.evals.imports.responses import COLUMNS, read_responses
from stagelift.evals.imports.results import Imported
from stagelift.evals.imports.tables import table_rows

ROWS: list[dict[str, Any]] = [
    {"id": 1, "prompt": "2 + 2?", "response": "4, says\nhe", "target": "4", "n_tokens": 3.0},
    {"id": 2, "prompt": "3 + 3?", "response": "", "target": None, "n_tokens": None},
]


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    """As pandas writes a frame: an index without a name, and nothing where a cell is missing."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["", *rows[0]])
    writer.writerows([place, *row.values()] for place, row in enumerate(rows))
    return text.getvalue().encode()


def read(content: bytes, folder: Path, name: str = "rows.csv", columns: str = "") -> Imported:
    (folder / name).write_bytes(content)
    return read_responses(folder / name, parse_columns(columns, COLUMNS) if columns else {})


def in_short(imported: Imported) -> list[tuple[object, ...]]:
    (stage,) = imported.stages
    return [
        (row.id, row.prompt, row.response, mine.target, row.n_tokens)
        for row, mine in zip(stage.generations, stage.scores, strict=True)
    ]


EXPECTED = [("1", "2 + 2?", "4, says\nhe", "4", 3), ("2", "3 + 3?", "", None, None)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", as_csv(ROWS)),
        ("rows.tsv", as_csv(ROWS, "\t")),
        ("blank.csv", b"\r\n  \n" + as_csv(ROWS)),
        ("rows.csv.gz", gzip.compress(as_csv(ROWS), mtime=0)),
        ("lines.jsonl", "\n".join(map(json.dumps, ROWS)).encode()),
        ("list.json", json.dumps(ROWS).encode()),
        ("lists.json", json.dumps({key: [row[key] for row in ROWS] for key in ROWS[0]}).encode()),
        (
            "pandas.json",
            json.dumps(
                {key: {str(n): row[key] for n, row in enumerate(ROWS)} for key in ROWS[0]}
            ).encode(),
        ),
    ],
)
def test_a_table_is_the_same_in_whichever_file(name: str, content: bytes, tmp_path: Path) -> None:
    imported = read(content, tmp_path, name)
    assert in_short(imported) == EXPECTED
    assert "1 of 2 responses are empty" in imported.notes


def test_lines_are_counted_from_the_first_however_many_are_blank(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 4"):
        read(b"\n\nprompt,response\nonly one cell\n", tmp_path)


def test_parquet_is_read_with_messages_and_missing_cells(tmp_path: Path) -> None:
    messages = [[{"role": "user", "content": row["prompt"]}] for row in ROWS]
    rows = [{**row, "prompt": turns} for row, turns in zip(ROWS, messages, strict=True)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert in_short(read_responses(tmp_path / "rows.parquet")) == EXPECTED
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "rows.parquet").read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"cut\.parquet is no Parquet file"):
        list(table_rows(tmp_path / "cut.parquet"))


def test_columns_are_called_as_was_asked_for(tmp_path: Path) -> None:
    rows = [{"q": "2 + 2?", "output": "4", "gold": 4, "response": "not this one"}]
    imported = read(as_csv(rows), tmp_path, columns="prompt=q,response=output, target=gold")
    assert in_short(imported)[0][1:4] == ("2 + 2?", "4", "4")
    assert "1 of 1 rows have no id: they go by a hash of prompt and target" in imported.notes
    with pytest.raises(ValueError, match="has no column 'answer', which --columns names"):
        read(as_csv(rows), tmp_path, columns="prompt=q,response=answer")
    assert renamed({"a": 1, "b": 2}, {"b": "a"}) == {"b": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("response", "which is no pair of names"),
        ("output=response", "names 'output', which is not known"),
        ("target=a,target=b", "says twice what 'target' is"),
    ],
)
def test_columns_that_say_nothing_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_columns(text, COLUMNS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,prompt,response\n1,p\n", "2 cells, and the header has 3"),
        (b'id,prompt,response\n1,p,"r\n', "no CSV that can be read"),
        (b"id,id,prompt,response\n1,1,p,r\n", "column 'id' twice"),
        (b'{"id": 1, "id": 2, "prompt": "p", "response": "r"}\n{}\n', "key 'id' is there twice"),
        (b'{"prompt": ["a"], "response": ["b", "c"]}', "columns of different lengths"),
        (b'{"prompt": "p", "response": "r", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}\n\n{}", "mal"),
        (b'{"id": 1, "prompt": "p", "response": null}\n', "response: Input should be a valid"),
        (b'{"id": 1, "prompt": "p", "response": "r", "seed": true}\n', "True stands where"),
    ],
)
def test_hostile_tables_are_refused_in_a_sentence(
    content: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        read(content, tmp_path, "rows.jsonl")


def test_a_file_that_unpacks_to_more_than_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"a" * 5000, mtime=0))
    with pytest.raises(ValueError, match="the most that is read"):
        read_text(tmp_path / "bomb.gz", largest=4999)
    assert len(read_text(tmp_path / "bomb.gz", largest=5000)) == 5000


TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]},
]


@pytest.mark.parametrize("turns", [TURNS, json.dumps(TURNS), repr(TURNS)])
def test_messages_are_text_however_they_are_written(turns: Any) -> None:
    assert prompt_text(turns) == "system: Be brief.\n\nuser: 2 + 2?"
    assert prompt_text(TURNS[:1]) == "Be brief."
    assert response_text([{"role": "assistant", "content": "4"}]) == "4"


@pytest.mark.parametrize(
    "other", ["a [{ text", "[{'role': __import__('os')}]", 3, [], [{"role": "user"}], [1]]
)
def test_what_are_no_messages_is_left_alone(other: Any) -> None:
    assert prompt_text(other) == other


def test_a_judges_verdicts_in_columns_become_a_win_rate_against_a_reference(
    tmp_path: Path,
) -> None:
    rows = [
        {"id": n, "prompt": "p", "response": "xx", "reference": "x", "preference": value}
        for n, value in enumerate((2, 1, 1.5))
    ]
    imported = read(as_csv(rows), tmp_path)
    (stage,) = imported.stages
    assert [verdict.score for verdict in stage.verdicts] == [1, 0, 0.5]
    assert [verdict.length_difference for verdict in stage.verdicts] == [1, 1, 1]
    assert imported.contract["judge"] == "not named"


def test_preferences_on_several_samples_of_a_prompt_are_averaged_in_any_order(
    tmp_path: Path,
) -> None:
    rows = [
        {"id": n, "prompt": "p", "response": text, "reference": "x", "preference": value}
        | {"sample": sample}
        for n in range(2)
        for sample, value, text in ((1, 2, "xxxx"), (0, 1, "xx"))
    ]
    (stage,) = read(as_csv(rows), tmp_path).stages
    assert [verdict.score for verdict in stage.verdicts] == [0.5, 0.5]
    assert [verdict.length_difference for verdict in stage.verdicts] == [2, 2]


def test_samples_that_nobody_judged_are_noted_and_the_others_count(tmp_path: Path) -> None:
    rows = [
        {"id": n, "prompt": "p", "response": "r", "sample": sample, "preference": value}
        for n in range(2)
        for sample, value in ((0, ""), (1, 2))
    ]
    imported = read(as_csv(rows), tmp_path)
    assert [verdict.score for verdict in imported.stages[0].verdicts] == [1, 1]
    assert any("2 of 2 prompts of 'responses' have responses w" in one for one in imported.notes)


def test_stages_variants_and_seeds_are_columns(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": "p", "response": "r", "stage": stage, "variant": v, "seed": seed}
        for stage, v, seed in [("base", None, None), ("sft", 0.1, 0), ("sft", 0.1, 1.0)]
    ]
    stages = read(as_csv(rows), tmp_path).stages
    assert [(one.name, one.variant, one.seed) for one in stages] == [
        ("base", None, None),
        ("sft", "0.1", 0),
        ("sft", "0.1", 1),
    ]


def test_a_csv_with_a_nul_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rows\.csv, line 3 holds a NUL, which is no text"):
        read(b"id,prompt,response\n1,p,r\n2,p,\0r\n", tmp_path)


def test_a_column_that_is_there_twice_is_found_among_very_many(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(50_000)]
    with pytest.raises(ValueError, match="has the column 'c7' twice"):
        read(",".join([*names, "c7"]).encode(), tmp_path)


def test_a_parquet_that_holds_a_cell_once_for_many_rows_is_refused(tmp_path: Path) -> None:
    cells = pyarrow.DictionaryArray.from_arrays([0] * 2_000, ["r" * 100_000])
    pyarrow.parquet.write_table(pyarrow.table({"response": cells}), tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="holds more than 100 times its own size"):
        list(table_rows(tmp_path / "rows.parquet"))
    cells = pyarrow.DictionaryArray.from_arrays([0] * 1_000_001, ["r"])
    pyarrow.parquet.write_table(pyarrow.table({"response": cells}), tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="has more than 1,000,000 rows"):
        next(table_rows(tmp_path / "rows.parquet"))


def test_one_object_is_one_row_and_no_longer_than_a_line(tmp_path: Path) -> None:
    content = b'{"prompt": "p", "response": "' + b"r" * (1 << 26) + b'"}'
    with pytest.raises(ValueError, match=r"rows\.json holds more than 64 MiB of text"):
        read(content, tmp_path, "rows.json")
