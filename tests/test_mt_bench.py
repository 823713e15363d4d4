"""MT-Bench's judgements and answers: scores by question, pairs in both orders, turns."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.mt_bench import read_mt_bench
from stagelift.evals.imports.mt_bench_rows import GamesRow, QuestionRow
from tests.imported import values, write_lines


def scored(question: int, score: float, turn: int = 1, model: str = "m") -> dict[str, Any]:
    return {
        "question_id": question,
        "model": model,
        "judge": ["gpt-4", "single-v1"],
        "user_prompt": "",
        "judgment": f"Rating: [[{score}]]",
        "score": score,
        "turn": turn,
    }


def pair(question: int, first: str, second: str, turn: int = 1, **more: Any) -> dict[str, Any]:
    """A pair in both games; `first` and `second` say who won them."""
    return {
        "question_id": question,
        "model_1": "m",
        "model_2": "gpt-3.5-turbo",
        "g1_winner": first,
        "g2_winner": second,
        "judge": ["gpt-4", "pair-v2"],
        "turn": turn,
        **more,
    }


def answer(question: int, turns: list[Any], model: str = "m") -> dict[str, Any]:
    return {"question_id": question, "model_id": model, "choices": [{"index": 0, "turns": turns}]}


def test_a_question_is_worth_the_mean_of_its_turns(tmp_path: Path) -> None:
    rows = [scored(81, 8), scored(81, 5, 2), scored(82, 10), scored(82, -1, 2)]
    imported = read_mt_bench(write_lines(tmp_path / "gpt-4_single.jsonl", rows))
    (stage,) = imported.stages
    assert values(stage) == {
        "mt_bench/score": [6.5, 10],
        "mt_bench/score,turn 1": [8, 10],
        "mt_bench/score,turn 2": [5],
    }
    assert (stage.name, imported.contract) == ("m", {"task": "mt_bench", "judge": "gpt-4"})
    assert "1 scores of 'm' could not be read by FastChat (-1)" in " ".join(imported.notes)


def test_a_pair_is_judged_in_both_orders_and_by_the_mean_of_both(tmp_path: Path) -> None:
    rows = [
        pair(81, "model_1", "model_1"),
        pair(82, "model_1", "model_2"),
        pair(83, "tie", "model_2"),
        pair(84, "error", "model_1"),
    ]
    imported = read_mt_bench(write_lines(tmp_path / "gpt-4_pair.jsonl", rows))
    (stage,) = imported.stages
    assert [(verdict.score, verdict.orders) for verdict in stage.verdicts] == [
        (1, (1, 1)),
        (0.5, (1, 0)),
        (0.25, (0.5, 0)),
        (None, (None, None)),
    ]
    assert imported.contract["reference"] == "gpt-3.5-turbo" and stage.name == "m"
    said = " ".join(imported.notes)
    assert "1 of 4 pairs could not be judged" in said and "all pairs are against" in said


def test_a_model_that_comes_second_was_shown_second_in_the_first_game(tmp_path: Path) -> None:
    turned = {"model_1": "gpt-3.5-turbo", "model_2": "m"}
    rows = [
        pair(81, "model_2", "model_1", **turned),
        pair(81, "model_1", "tie", model_1="n"),
    ]
    imported = read_mt_bench(write_lines(tmp_path / "gpt-4_pair.jsonl", rows))
    by_name = {stage.name: stage.verdicts[0].orders for stage in imported.stages}
    assert by_name == {"m": (0, 1), "n": (1, 0.5)}


def test_the_turns_of_a_question_are_one_verdict(tmp_path: Path) -> None:
    rows = [pair(81, "model_1", "model_1"), pair(81, "model_1", "model_2", turn=2)]
    (stage,) = read_mt_bench(write_lines(tmp_path / "gpt-4_pair.jsonl", rows)).stages
    (verdict,) = stage.verdicts
    assert (verdict.id, verdict.score, verdict.orders) == ("mt_bench/81", 0.75, (1, 0.5))


def test_a_folder_joins_answers_scores_pairs_and_questions(tmp_path: Path) -> None:
    folder = tmp_path / "my_bench"
    for model in ("m", "gpt-3.5-turbo"):
        turns = ["four", "five"] if model == "m" else ["4", "5"]
        write_lines(folder / "model_answer" / f"{model}.jsonl", [answer(81, turns, model)])
    write_lines(folder / "model_judgment" / "gpt-4_single.jsonl", [scored(81, 8)])
    write_lines(folder / "model_judgment" / "gpt-4_pair.jsonl", [pair(81, "tie", "tie")])
    write_lines(folder / "question.jsonl", [{"question_id": 81, "turns": ["2+2?", "and 1?"]}])
    imported = read_mt_bench(folder)
    (stage,) = imported.stages
    (response,) = stage.generations
    assert (response.id, response.prompt) == ("my_bench/81", "2+2?\n\nand 1?")
    assert response.response == "four\n\nfive"
    assert values(stage) == {"my_bench/score": [8], "my_bench/score,turn 1": [8]}
    (verdict,) = stage.verdicts
    assert verdict.id == "my_bench/81" and verdict.length_difference == 6
    # what lies in it is of the same benchmark
    alone = read_mt_bench(folder / "model_judgment" / "gpt-4_pair.jsonl")
    assert alone.contract["task"] == "my_bench"


def test_answers_alone_are_responses(tmp_path: Path) -> None:
    rows = [answer(81, ["a"]), answer(82, ["b"])]
    imported = read_mt_bench(write_lines(tmp_path / "model_answer" / "m.jsonl", rows))
    (stage,) = imported.stages
    assert [row.response for row in stage.generations] == ["a", "b"] and stage.verdicts == []
    assert "judge" not in imported.contract


def test_in_arena_hards_first_game_the_baseline_is_shown_first(tmp_path: Path) -> None:
    labels = [("B>>A", "A>B"), ("A>B", "A=B"), ("A=B", None)]
    rows = [
        {
            "question_id": str(place),
            "model": "m",
            "judge": "gpt-4-1106-preview",
            "games": [{"score": label, "judgment": ""} for label in games],
        }
        for place, games in enumerate(labels)
    ]
    folder = tmp_path / "arena-hard" / "model_judgment" / "gpt-4-1106-preview"
    file = write_lines(folder / "m.jsonl", rows)
    turns = [{"content": "Four.", "token_len": 2}]
    answers = [answer(place, turns) | {"question_id": str(place)} for place in range(3)]
    write_lines(tmp_path / "arena-hard" / "model_answer" / "m.jsonl", answers)
    for path in (tmp_path / "arena-hard", file):
        imported = read_mt_bench(path)
        (stage,) = imported.stages
        assert [verdict.orders for verdict in stage.verdicts] == [(1, 1), (0.5, 0), (None, None)]
        assert stage.verdicts[0].id == "arena-hard/0"
        assert imported.contract["reference"] == "the baseline"
    (stage,) = read_mt_bench(tmp_path / "arena-hard").stages
    assert [row.response for row in stage.generations] == ["Four."] * 3


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([scored(81, 8), scored(81, 7)], "lines 1 and 2 are both of question 81, m, 1"),
        ([scored(81, 11)], r"1 of 1 rows .* score"),
        (
            [scored(81, 8), scored(82, 8) | {"judge": ["claude", "single-v1"]}],
            r"several judges \(claude, gpt-4\)",
        ),
        ([pair(81, "tie", "tie"), pair(81, "tie", "tie", model_1="a", model_2="b")], "one model"),
        ([pair(81, "nobody", "tie")], "g1_winner"),
    ],
)
def test_judgements_that_cannot_be_are_refused(rows: list[Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        read_mt_bench(write_lines(tmp_path / "rows.jsonl", rows))


def test_rows_of_arena_hards_second_version_have_a_uid_and_a_baseline() -> None:
    row = GamesRow.model_validate(
        {
            "uid": "a1",
            "judge": "gpt-4.1",
            "model": "m",
            "baseline": "o3-mini",
            "games": [{"score": "A>>B"}, {"score": "B>A"}],
        }
    )
    assert (row.question, row.models()) == ("a1", ("m", "o3-mini"))
    assert (row.orders("m"), row.orders("o3-mini")) == ((0, 0), (1, 1))
    assert QuestionRow.model_validate({"uid": "a1", "prompt": "Sing."}).text == "Sing."
