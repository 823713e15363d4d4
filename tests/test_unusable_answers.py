"""Answers of word problems as people write them: numbers, pairs made of them, and those that a
stage cannot learn from.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stagelift.evals.data.answers import answer_text, number_text
from stagelift.evals.data.pairs import rejected_answer
from stagelift.evals.data.problems import load_problems
from stagelift.evals.data.source import Source, rows
from stagelift.evals.metrics.answers.reading import read_answer, read_target
from stagelift.stages.rewards import correctness
from stagelift.stages.rows.problems import answer_note, check_answers, check_pairs, pairs_identity
from stagelift.stages.rows.training import check_training_source, training_rows
from stagelift.stages.settings import StageSettings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2, "2"),
        (2.0, "2"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (1e6, "1000000"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2**70, "1180591620717411303424"),
        (np.int64(5), "5"),
        (np.float64(0.5), "0.5"),
        (np.float32(0.1), "0.1"),
        (Decimal("12.50"), "12.5"),
        (Decimal("1E+3"), "1000"),
        (True, None),
        (np.bool_(True), None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ([2], None),
    ],
)
def test_a_number_is_its_text_without_loss(value: Any, text: str | None) -> None:
    assert number_text(value) == text == answer_text(value)
    if text is not None:
        assert read_target(text) is not None


WRITTEN = [
    "0+2=2. She has 2 cups.",
    "The answer is 2",
    "It is much.\n#### 2 cups",
    "It is much.\n#### $2.50",
    r"So it is $\boxed{\frac{1}{3}}$.",
    "2",
    "-5",
    "#### -5.5",
    "So much: 70,000\n#### 70,000",
    "#### 45%",
    "3 1/2",
    "0.05",
    "1e6",
    "The answer is two.",
    r"$\boxed{1{,}234}$",
    "<answer>7</answer>",
    "So 9 * 2 = 18 dollars.",
    "The result of 3 + 4 is 7.",
    "Therefore, she has **42** cups.",
    "1.234,56 €",
]


@pytest.mark.parametrize("answer", WRITTEN)
def test_a_rejected_answer_states_another_number_in_the_same_form(answer: str) -> None:
    right, seen = read_target(answer) or read_answer(answer), set()
    for number in range(12):
        rejected = rejected_answer(f"question {number}", answer)
        stated = read_answer(rejected)
        if len(rejected) > 2 * len(answer):
            # it rambles, and is right
            assert stated == right
            continue
        seen.add(stated)
        # only digits differ, or a word for a number
        same = len(rejected) == len(answer) or "two" in answer
        assert same and stated is not None and stated != right
    assert len(seen) > 1


def test_both_places_of_a_number_slip() -> None:
    rejected = rejected_answer("Ann has 0 cups and gets 2.", "0+2=2. She has 2 cups.")
    digit = rejected[4]
    assert rejected == f"0+2={digit}. She has {digit} cups." and digit != "2"


def source(folder: Path, *answers: Any, **columns: Any) -> Source:
    written = [
        {"question": f"Ann has {number} cups. How many?", "answer": answer} | columns
        for number, answer in enumerate(answers)
    ]
    path = folder / "train.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in written))
    return Source(path=str(path))


def stage(kind: str, data: Source) -> StageSettings:
    rewards: list[str | dict[str, Any]] = ["correctness"] if kind == "grpo" else []
    return StageSettings(kind=kind, dataset=data, rewards=rewards)


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "grpo"])
def test_numbers_are_answers_of_word_problems(kind: str, tmp_path: Path) -> None:
    data = source(tmp_path, 2, 3, 4)
    check_training_source(kind, data, stage(kind, data).rewards)
    check_answers(stage(kind, data))
    assert answer_note(stage(kind, data)) is None
    first = training_rows(stage(kind, data))[0]
    # what goes to a reward stays a number
    answers = ("answer",) if kind == "grpo" else ("completion", "chosen")
    (answer,) = (first[name] for name in answers if name in first)
    assert answer in (2, [{"role": "assistant", "content": "2"}])


def test_a_reward_reads_a_number_as_it_reads_its_text() -> None:
    said = ["#### 2", "#### 2.5", "It is 3.", "none", "1"]
    answers = [2, 2.5, np.int64(3), None, True]
    assert correctness(completions=list(said), answer=answers) == [1, 1, 1, 0, 0]


def test_rows_whose_answer_has_no_number_are_counted(tmp_path: Path) -> None:
    data = source(tmp_path, "1+2=3\n#### 3", "It is many.", "2+2=4\n#### 4", "blue")
    check_answers(stage("grpo", data))
    note = answer_note(stage("grpo", data))
    assert (
        note is not None and "2 of 4 rows" in note and "(line 2)" in note and "It is many." in note
    )


@pytest.mark.parametrize("answer", ["blue", "0+2=2. She has 2 cups.", "12:30", "2024-05-01", ""])
def test_where_no_answer_has_a_number_correctness_is_refused(answer: str, tmp_path: Path) -> None:
    data = source(tmp_path, answer, answer)
    with pytest.raises(ValueError, match="Stage 'grpo': all 2 rows"):
        check_answers(stage("grpo", data))


def test_rows_of_which_no_pair_can_be_made_are_left_out(tmp_path: Path) -> None:
    data = source(tmp_path, "She needs 3 or 4 cups.", "The answer is 5", "12:30")
    for kind, made in (("dpo", 1), ("kto", 2)):
        check_answers(stage(kind, data))
        assert "2 of 3 rows" in str(answer_note(stage(kind, data)))
        assert len(training_rows(stage(kind, data))) == made
    with pytest.raises(ValueError, match=r"Row 1 of dataset .* no pair can be made"):
        check_pairs(data)


def test_where_no_pair_can_be_made_the_stage_is_refused(tmp_path: Path) -> None:
    data = source(tmp_path, "blue", "12:30")
    with pytest.raises(ValueError, match=r"Stage 'dpo': all 2 rows .* Nothing is left to train on"):
        check_answers(stage("dpo", data))


def test_only_a_stage_whose_pairs_are_others_than_once_is_another_stage(tmp_path: Path) -> None:
    assert pairs_identity(stage("dpo", source(tmp_path, "1+1=2\n#### 2"))) == {}
    assert pairs_identity(stage("dpo", source(tmp_path, "1+1=2\n#### 2 cups"))) == {"pairs": 2}
    assert pairs_identity(stage("sft", source(tmp_path, "2 cups"))) == {}
    assert pairs_identity(stage("dpo", Source(path="bundled/schoolmath"))) == {}
    given = source(tmp_path, "2 cups", prompt="a", chosen="b", rejected="c")
    assert pairs_identity(stage("dpo", given)) == {}


def test_whole_numbers_that_no_table_holds_are_answers_digit_by_digit(tmp_path: Path) -> None:
    data = source(tmp_path, 9007199254740993, 2.5, 2**70 + 1)
    assert list(rows(data)["answer"]) == ["9007199254740993", "2.5", "1180591620717411303425"]
    # a table can hold these
    assert list(rows(source(tmp_path, 2**53 + 1, 3))["answer"]) == [2**53 + 1, 3]


def test_a_problem_that_is_asked_has_its_number_as_text(tmp_path: Path) -> None:
    source(tmp_path, 2.0, 2.5, "#### 7")
    (tmp_path / "train.jsonl").rename(tmp_path / "test.jsonl")
    asked = load_problems(
        "gsm8k", Source(path=str(tmp_path)), limit=None, held_out=0, num_fewshot=0
    )
    assert [problem.answer for problem in asked.problems] == ["2", "2.5", "#### 7"]
