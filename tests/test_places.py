"""Where rows of a file are said to stand, and files that are tables of another kind."""

import json
from pathlib import Path

import pytest

from stagelift.evals.data.json_tables import table_rows
from stagelift.evals.data.places import place
from stagelift.evals.data.source import Source, fingerprint, local_rows, rows


def where(file: Path, content: str, **source: object) -> list[str]:
    file.write_text(content, encoding="utf-8")
    of = Source(path=str(file), **source)  # type: ignore[arg-type]  # several types
    return [place(of, index).removeprefix(f"Row {index + 1} ") for index in range(len(rows(of)))]


def test_blank_lines_of_json_lines_count(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    said = where(file, '\ufeff{"text": "a"}\n\n{"text": "b"}\n')
    assert said == [f"of dataset '{file}' (line 1)", f"of dataset '{file}' (line 3)"]


def test_the_header_and_cells_of_several_lines_of_a_csv_count(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    said = where(file, '\nprompt,completion\n"a\nb",c\n\n  \nd,e\n')
    assert said == [f"of dataset '{file}' (line 3)", f"of dataset '{file}' (line 7)"]


def test_numbers_in_text_columns_of_a_csv_stay_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("prompt,solved,answer\nq,007,7\nr,2.50,\n")
    read = rows(Source(path=str(file), columns={"completion": "solved"}))
    assert list(read["completion"]) == ["007", "2.50"] and list(read["answer"]) == [7.0, None]


def test_a_json_list_has_indices(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    said = where(file, json.dumps([{"text": "a"}, {"text": "b"}], indent=2))
    assert said == [f"of dataset '{file}' (index 0)", f"of dataset '{file}' (index 1)"]


def test_a_slice_keeps_the_lines_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f'{{"text": "{number}"}}\n' for number in range(10)))
    part = Source(path=str(file), split="train[80%:]")
    assert list(rows(part)["text"]) == ["8", "9"]
    assert place(part, 1) == f"Row 10 of dataset '{file}' (line 10)"
    assert fingerprint(part) != fingerprint(Source(path=str(file)))


def test_a_file_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n')
    assert place(Source(path=str(tmp_path)), 0).endswith("(line 1 of train.jsonl)")


@pytest.mark.parametrize(
    "content",
    [
        {"prompt": ["a", "b"], "answer": [1, None]},
        # pandas: DataFrame.to_json(), and orient="split"
        {"prompt": {"0": "a", "1": "b"}, "answer": {"0": 1, "1": None}},
        {"columns": ["prompt", "answer"], "index": [0, 1], "data": [["a", 1], ["b", None]]},
        {"version": "1.1", "data": [{"prompt": "a", "answer": 1}, {"prompt": "b", "answer": None}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_an_object_of_columns_is_a_table(tmp_path: Path, content: object, indent: int) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(content, indent=indent))
    expected = [{"prompt": "a", "answer": 1}, {"prompt": "b", "answer": None}]
    assert table_rows(file) == expected
    assert list(rows(Source(path=str(file)))) == expected


def test_an_object_whose_lists_are_turns_is_one_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    row = {"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant"}]}
    file.write_text(json.dumps(row))
    assert table_rows(file) == [row]


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps({"prompt": ["a", "b"], "answer": ["1"]}))
    with pytest.raises(ValueError, match="different lengths: 'prompt' 2, 'answer' 1"):
        table_rows(file)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": ', "line 2 is not valid JSON"),
        ('{"text": "\\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_the_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"text": "a"}}\n{line}\n')
    with pytest.raises(ValueError, match="Cannot read dataset") as refused:
        local_rows(Source(path=str(file)))
    assert says in str(refused.value)
