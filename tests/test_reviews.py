"""FastChat's reviews: a score of each of two answers, and which of them is higher."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.formats import reader_of
from stagelift.evals.imports.reviews import read_reviews
from tests.imported import values, write_lines


def review(question: int, first: float, second: float, **more: Any) -> dict[str, Any]:
    return {
        "review_id": f"review {question}",
        "question_id": question,
        "answer1_id": f"a{question}",
        "answer2_id": f"b{question}",
        "reviewer_id": "gpt-4-generic",
        "text": f"{first} {second}\nBoth are good.",
        "score": [first, second],
        "metadata": {},
        **more,
    }


def test_the_model_shown_first_has_scores_and_verdicts_against_the_other(tmp_path: Path) -> None:
    rows = [review(1, 8, 9), review(2, 7.5, 6), review(3, 9, 9), review(4, -1, -1)]
    file = write_lines(tmp_path / "review_llama-13b_vicuna-13b.jsonl", rows)
    imported = read_reviews(file)
    (stage,) = imported.stages
    assert reader_of(file).name == "reviews" and stage.name == "llama-13b"
    assert values(stage) == {"reviews/score": [8, 7.5, 9]}
    assert [verdict.score for verdict in stage.verdicts] == [0, 1, 0.5, None]
    # which order would have said what is not known
    assert {verdict.orders for verdict in stage.verdicts} == {None}
    assert imported.contract["reference"] == "vicuna-13b"
    said = " ".join(imported.notes)
    assert "1 of 4 reviews could not be read" in said and "judged in one order" in said


@pytest.mark.parametrize(
    ("name", "model", "reference"),
    [
        ("review_my_model_v2_vicuna-13b.jsonl", "my_model_v2", "vicuna-13b"),
        ("review_alpaca-13b_gpt35.jsonl", "alpaca-13b", "gpt35"),
        ("review_alpaca-13b.jsonl", "alpaca-13b", "the second answer"),
        ("review_.jsonl", "", "the second answer"),
    ],
)
def test_the_last_part_of_a_files_name_is_the_reference(
    name: str, model: str, reference: str, tmp_path: Path
) -> None:
    imported = read_reviews(write_lines(tmp_path / name, [review(1, 8, 9)]))
    assert (imported.model, imported.contract["reference"]) == (model, reference)
    assert any("several _" in note for note in imported.notes) == ("_" in model)


def test_the_judge_is_all_of_its_prompts(tmp_path: Path) -> None:
    rows = [review(1, 8, 9, reviewer_id=2), review(2, 8, 9, reviewer_id=1)]
    assert read_reviews(write_lines(tmp_path / "r.jsonl", rows)).contract == {
        "task": "reviews",
        "judge": "1, 2",
        "reference": "the second answer",
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (review(1, 8, 9), "lines 1 and 2 are both of question 1"),
        (review(2, 8, 90), "line 2"),
        (review(2, 8, 9, score=[8]), "line 2"),
        (review(2, 8, 9, score="8 9"), "line 2"),
    ],
)
def test_rows_that_cannot_be_true_are_refused(
    row: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "review_a_b.jsonl", [review(1, 8, 9), row])
    with pytest.raises(ValueError, match=said):
        read_reviews(file)
