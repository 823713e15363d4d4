import json
from pathlib import Path

import pytest

from stagelift.evals.judges.verdicts import verdicts_judge
from tests.judges import pair, said


def judged(rows: list[dict[str, object]], folder: Path, first: str, second: str) -> float | None:
    (folder / "verdicts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return (
        verdicts_judge(folder / "verdicts.jsonl").decide([pair(said(first), said(second))])[0].score
    )


def verdict(first: str, second: str, preference: object) -> dict[str, object]:
    return {"prompt": "p", "response_1": first, "response_2": second, "preference": preference}


def test_a_verdict_is_found_in_either_order(tmp_path: Path) -> None:
    rows = [verdict("a", "b", 1), verdict("c", "d", 1.5)]
    assert judged(rows, tmp_path, "a", "b") == 1
    assert judged(rows, tmp_path, "b", "a") == 0
    assert judged(rows, tmp_path, "c", "d") == 0.5


def test_what_the_file_does_not_hold_has_no_verdict(tmp_path: Path) -> None:
    assert judged([verdict("a", "b", 1)], tmp_path, "a", "x") is None


def test_alpaca_evals_names_are_read_too(tmp_path: Path) -> None:
    row = {
        "instruction": "p",
        "output_1": "a",
        "output_2": "b",
        "preference": 1.75,
        "annotator": "x",
    }
    assert judged([row], tmp_path, "a", "b") == 0.25


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([verdict("a", "b", 3)], "row 1: preference 3 is none"),
        ([{"prompt": "p", "preference": 1}], "row 1 lacks a text"),
        ([verdict("a", "b", 1), verdict("a", "b", 2)], "row 2 contradicts"),
    ],
)
def test_rows_that_are_no_verdicts_are_named(
    rows: list[dict[str, object]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        judged(rows, tmp_path, "a", "b")


def test_a_draw_may_be_written_0_and_a_row_without_a_verdict_says_nothing(tmp_path: Path) -> None:
    rows = [verdict("a", "b", 0), verdict("c", "d", None)]
    assert judged(rows, tmp_path, "a", "b") == 0.5
    assert judged(rows, tmp_path, "c", "d") is None
