"""lighteval's details by version: rows of structures, of Python text, and of plain values."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.lighteval import read_lighteval
from tests.imported import values, write_parquet

TIME = "2026-08-10T17-22-11.385681"


def new(query: str, gold: int, text: list[str], **metric: Any) -> dict[str, Any]:
    """A row since 0.11."""
    return {
        "doc": {"query": query, "choices": ["17", "18"], "gold_index": gold, "id": "0"},
        "model_response": {
            "input": f"<|user|>{query}",
            "text": text,
            "output_tokens": [[1, 2, 3]] * len(text),
        },
        "metric": metric,
    }


def write(folder: Path, rows: list[dict[str, Any]], task: str = "gsm8k|0") -> Path:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return write_parquet(folder / f"details_{task}_{TIME}.parquet", columns)


def test_rows_of_structures_are_read(tmp_path: Path) -> None:
    rows = [
        new("q1", 1, ["It is 18."], extractive_match=1.0, em=True),
        new("q2", 0, ["It is 18."], extractive_match=0.0, em=False),
    ]
    folder = tmp_path / "details" / "org" / "model" / TIME
    imported = read_lighteval(write(folder, rows))
    (stage,) = imported.stages
    assert values(stage) == {"gsm8k|0/extractive_match": [1, 0], "gsm8k|0/em": [1, 0]}
    assert [score.correct for score in stage.scores] == [True, False]
    first = stage.generations[0]
    assert (first.prompt, first.response, first.n_tokens) == ("<|user|>q1", "It is 18.", 3)
    assert [(of.prompt, of.target) for of in stage.documents.values()] == [
        ("q1", "18"),
        ("q2", "17"),
    ]
    assert (stage.name, imported.contract) == ("org/model", {"task": "gsm8k|0"})


def old(**more: str) -> dict[str, str]:
    """A row of 0.4 to 0.10: every value as the text of a Python value."""
    return {
        "example": "q1",
        "full_prompt": "examples q1",
        "predictions": "['It is 18.']",
        "gold": "['18']",
        "choices": "['18']",
        "gold_index": "[0]",
        "cont_tokens": "[[5, 6]]",
        "metrics": "{'qem': np.float64(1.0), 'extractive_match': 0, 'ppl': nan}",
        **more,
    }


def test_values_that_were_written_as_python_text_are_read(tmp_path: Path) -> None:
    task = "lighteval|gsm8k|5|0"
    imported = read_lighteval(write(tmp_path, [old()], task))
    (stage,) = imported.stages
    assert values(stage) == {f"{task}/qem": [1], f"{task}/extractive_match": [0]}
    assert [(of.response, of.n_tokens, of.prompt) for of in stage.generations] == [
        ("It is 18.", 2, "examples q1")
    ]
    assert [of.target for of in stage.documents.values()] == ["18"]
    assert stage.name == "lighteval"


def test_text_that_is_a_programme_is_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    row = old(metrics=f"{{'em': __import__('pathlib').Path({str(made)!r}).touch()}}")
    with pytest.raises(ValueError, match=r"row 1: it has no metrics by name"):
        read_lighteval(write(tmp_path, [row]))
    assert not made.exists()


def test_rows_of_the_first_versions_have_plain_values(tmp_path: Path) -> None:
    row = {
        "example": "q1",
        "full_prompt": "examples q1",
        "predictions": [[-1.5, -2.5]],
        "gold": "b",
        "choices": ["a", "b"],
        "gold_index": 1,
        "metrics": {"acc": 1.0, "acc_norm": 0.0},
    }
    (stage,) = read_lighteval(write(tmp_path, [row], "harness|arc:challenge|25")).stages
    task = "harness|arc:challenge|25"
    assert values(stage) == {f"{task}/acc": [1], f"{task}/acc_norm": [0]}
    assert stage.generations == [] and [of.target for of in stage.documents.values()] == ["b"]


def test_documents_are_known_by_their_text_and_twins_are_told_apart(tmp_path: Path) -> None:
    rows = [new("q1", 1, ["a"], em=1.0), new("q1", 1, ["b"], em=0.0), new("q2", 1, ["c"], em=0.0)]
    names = list(read_lighteval(write(tmp_path, rows)).stages[0].documents)
    backwards = list(read_lighteval(write(tmp_path, rows[::-1])).stages[0].documents)
    assert names[1] == f"{names[0]}-2" and set(names) == set(backwards)


def test_a_folder_is_all_tasks_and_two_runs_of_one_are_refused(tmp_path: Path) -> None:
    row = new("q1", 1, ["18"], em=1.0)
    write(tmp_path, [row], "gsm8k|0")
    write(tmp_path, [row], "math|0")
    (stage,) = read_lighteval(tmp_path).stages
    assert list(values(stage)) == ["gsm8k|0/em", "math|0/em"]
    other = tmp_path / "details_math|0_2026-09-10T17-22-11.385681.parquet"
    other.write_bytes(write(tmp_path, [row], "math|0").read_bytes())
    with pytest.raises(ValueError, match=r"are both 'math\|0'"):
        read_lighteval(tmp_path)


def test_metrics_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    rows = [new("q1", 1, ["18"], em=1.0, corpus=["a", "b"])]
    said = read_lighteval(write(tmp_path, rows)).notes
    assert said == ("metric corpus of gsm8k|0 is left out: of 1 documents it is no number",)


def test_other_columns_are_named(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / f"details_x_{TIME}.parquet", {"question": ["q"], "em": [1]})
    with pytest.raises(ValueError, match="row 1: its columns are em, question, and known are doc"):
        read_lighteval(file)


def test_a_row_without_its_response_is_named(tmp_path: Path) -> None:
    rows = [new("q1", 1, ["18"], em=1.0), {**new("q2", 1, [], em=1.0), "model_response": None}]
    with pytest.raises(ValueError, match="row 2: its doc or its model_response is empty"):
        read_lighteval(write(tmp_path, rows))
