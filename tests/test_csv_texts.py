"""Texts in a CSV are read as they are written there."""

from pathlib import Path

import pytest

from stagelift.evals.data.csv_texts import rewritten_columns
from stagelift.evals.data.source import Source, rows
from stagelift.stages.rows.training import read_since
from stagelift.stages.settings import StageSettings


def written(folder: Path, text: str) -> Path:
    file = folder / "rows.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("question", ["007", "8"]),
        ("query", ["2.50", "3"]),
        ("answer", ["01234", "7"]),
        ("target", ["True", "False"]),
        ("solution", ["NA", "Namibia"]),
        ("problem", ["None", "one"]),
        ("response", ["NA", "c"]),
        ("input", ["010", "11"]),
    ],
)
def test_a_cell_of_text_stays_as_it_is_written(
    tmp_path: Path, column: str, cells: list[str]
) -> None:
    file = written(tmp_path, "\n".join([f"{column},other", *(f"{cell},1" for cell in cells)]))
    read = rows(Source(path=str(file)))
    assert list(read[column]) == cells
    assert list(read["other"]) == [1, 1]


def test_plain_numbers_and_missing_cells_stay_what_they_are(tmp_path: Path) -> None:
    file = written(tmp_path, "answer,target,input\n7,2.50,None\n8,3.25,2 and 3\n")
    assert rewritten_columns(file, {}) == set()
    assert list(rows(Source(path=str(file)))["answer"]) == [7, 8]
    assert list(rows(Source(path=str(file)))["input"]) == [None, "2 and 3"]


def test_a_renamed_column_is_known_by_its_name_here(tmp_path: Path) -> None:
    file = written(tmp_path, "q,a\nzip?,01234\n")
    assert rewritten_columns(file, {"question": "q", "answer": "a"}) == {"a"}


def test_a_training_whose_texts_were_read_otherwise_is_another(tmp_path: Path) -> None:
    file = str(written(tmp_path, "query,target\nzip?,01234\n"))
    assert "cells" in read_since(StageSettings(kind="sft", dataset=Source(path=file)))
    file = str(written(tmp_path, "query,target\nzip?,1234\n"))
    assert "cells" not in read_since(StageSettings(kind="sft", dataset=Source(path=file)))
