"""Every Eval Ever's files: rows and what their run level says of them."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.every_eval_ever import read_every_eval_ever
from stagelift.evals.metrics.measures import measure
from tests.imported import values, write_json, write_lines


def row(sample: str = "s1", score: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "schema_version": "0.3.0",
        "evaluation_id": "gsm8k/m/1",
        "model_id": "org/m",
        "evaluation_name": "gsm8k",
        "sample_id": sample,
        "interaction_type": "single_turn",
        "input": {"raw": f"prompt {sample}", "reference": ["18"]},
        "output": {"raw": ["It is 18."]},
        "answer_attribution": [],
        "evaluation": {"score": score, "is_correct": score == 1},
        "token_usage": {"input_tokens": 1, "output_tokens": 4, "total_tokens": 5},
        **more,
    }


def result(score: float, name: str = "Accuracy", **more: Any) -> dict[str, Any]:
    config = {"metric_name": name, "lower_is_better": False, **more.pop("config", {})}
    return {
        "evaluation_name": "gsm8k",
        "metric_config": config,
        "score_details": {"score": score},
        **more,
    }


def test_a_row_is_a_document_with_its_response_and_score(tmp_path: Path) -> None:
    imported = read_every_eval_ever(
        write_lines(tmp_path / "x_samples.jsonl", [row(), row("s2", 0.0)])
    )
    (stage,) = imported.stages
    assert values(stage) == {"gsm8k/accuracy": [1, 0]}
    assert [score.correct for score in stage.scores] == [True, True]
    first = stage.generations[0]
    assert (first.id, first.prompt, first.n_tokens) == ("gsm8k/s1", "prompt s1", 4)
    assert (stage.name, imported.contract) == ("org/m", {"task": "gsm8k"})


def test_scores_that_are_no_verdicts_are_scores(tmp_path: Path) -> None:
    rows = [row(score=1.0), row("s2", 0.5)]
    (stage,) = read_every_eval_ever(write_lines(tmp_path / "rows.jsonl", rows)).stages
    assert values(stage) == {"gsm8k/score": [1, 0.5]}


def test_the_run_level_beside_it_names_the_metric_and_its_direction(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "x_samples.jsonl", [row(score=2.0), row("s2", 4.0)])
    worse = result(3.0, "edits", config={"lower_is_better": True})
    write_json(tmp_path / "x.json", {"evaluation_results": [worse]})
    for given in (file, tmp_path / "x.json", tmp_path):
        imported = read_every_eval_ever(given)
        assert values(imported.stages[0]) == {"gsm8k/edits,lower is better": [2, 4]}
        assert imported.notes == ()
    assert measure("gsm8k/edits,lower is better").better == "less"
    write_json(tmp_path / "x.json", {"evaluation_results": [result(2.5, "edits")]})
    said = " ".join(read_every_eval_ever(file).notes)
    assert "gsm8k/edits is 2.5, and the mean of its 2 documents here is 3" in said


def test_an_accuracy_in_percent_is_in_points(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "x_samples.jsonl", [row(score=85.0), row("s2", 0.0)])
    write_json(tmp_path / "x.json", {"evaluation_results": [result(42.5)]})
    (stage,) = read_every_eval_ever(file).stages
    assert values(stage) == {"gsm8k/Accuracy points": [85, 0]}
    assert measure("gsm8k/Accuracy points").unit == "points"


def test_several_results_of_a_sample_are_several_metrics(tmp_path: Path) -> None:
    rows = [
        row(score=1.0, evaluation_result_id="a"),
        row(score=0.5, evaluation_result_id="b"),
    ]
    file = write_lines(tmp_path / "x_samples.jsonl", rows)
    assert values(read_every_eval_ever(file).stages[0]) == {
        "gsm8k/score,a": [1],
        "gsm8k/score,b": [0.5],
    }
    results = [
        result(1.0, "em", evaluation_result_id="a"),
        result(0.5, "f1", evaluation_result_id="b"),
    ]
    write_json(tmp_path / "x.json", {"evaluation_results": results})
    assert values(read_every_eval_ever(file).stages[0]) == {"gsm8k/em": [1], "gsm8k/f1": [0.5]}


def test_the_last_turn_of_a_conversation_is_its_response(tmp_path: Path) -> None:
    messages = [
        {"turn_idx": 0, "role": "user", "content": "ask"},
        {"turn_idx": 1, "role": "assistant", "content": "wait"},
        {"turn_idx": 2, "role": "tool", "content": "18"},
        {"turn_idx": 3, "role": "assistant", "content": "18"},
    ]
    rows = [row(interaction_type="agentic", output=None, messages=messages)]
    (stage,) = read_every_eval_ever(write_lines(tmp_path / "rows.jsonl", rows)).stages
    assert [(of.response, of.n_tokens) for of in stage.generations] == [("18", None)]


def test_what_is_neither_right_nor_wrong_and_no_text_has_a_score(tmp_path: Path) -> None:
    picture = {"modality": "text_to_image", "output": {"raw": ["<image:0>"]}}
    version = {"schema_version": "instance_level_eval_0.2.2"}
    undecided = {"evaluation": {"score": 0.75, "is_correct": None}}
    file = write_lines(tmp_path / "x_samples.jsonl", [row() | picture | version | undecided])
    (stage,) = read_every_eval_ever(file).stages
    assert values(stage) == {"gsm8k/score": [0.75]} and stage.generations == []


def test_models_are_stages_and_errors_are_counted(tmp_path: Path) -> None:
    rows = [row(), row(model_id="org/n", error="timeout")]
    imported = read_every_eval_ever(write_lines(tmp_path / "rows.jsonl", rows))
    assert [stage.name for stage in imported.stages] == ["org/m", "org/n"]
    assert imported.notes == ("1 of 2 rows report an error: they count as scored",)


def test_the_run_level_alone_has_nothing_to_compare(tmp_path: Path) -> None:
    alone = write_json(tmp_path / "x.json", {"evaluation_results": [result(1.0)]})
    with pytest.raises(ValueError, match=r"means over samples.*x_samples\.jsonl, beside it"):
        read_every_eval_ever(alone)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(), row()], "lines 1 and 2 are both sample 's1' of 'gsm8k'"),
        ([row(schema_version="0.4.0")], "schema_version is '0.4.0', and versions 0.2 and 0.3"),
        ([row(), row("s2") | {"evaluation": {"score": "x"}}], r"1 of 2 rows .* \(line 2\)"),
        (
            [
                row(evaluation_result_id="a"),
                row(evaluation_result_id="b") | {"output": {"raw": ["other"]}},
            ],
            "lines 1 and 2 give different inputs or outputs of sample 's1'",
        ),
    ],
)
def test_rows_that_cannot_be_are_refused(rows: list[Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        read_every_eval_ever(write_lines(tmp_path / "rows.jsonl", rows))


def test_several_samples_of_a_document_are_its_responses_in_their_order(tmp_path: Path) -> None:
    rows = [
        row(score=score, output={"raw": [text]}, metadata={"sample": sample})
        for sample, score, text in (("1", 1.0, "It is 18."), ("0", 0.0, "It is 17."))
    ]
    (stage,) = read_every_eval_ever(write_lines(tmp_path / "rows.jsonl", rows)).stages
    assert values(stage) == {"gsm8k/accuracy": [0.5]}
    assert [(one.sample, one.response) for one in stage.generations] == [
        (0, "It is 17."),
        (1, "It is 18."),
    ]
