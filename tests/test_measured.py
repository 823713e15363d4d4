"""Documents that another tool measured: what becomes of metrics, responses, targets and printed
means."""

import math
from pathlib import Path

import pytest
from pydantic import BaseModel

from stagelift.evals.imports.decided_targets import decide_targets
from stagelift.evals.imports.measured import (
    Measured,
    Response,
    mean_by_metric,
    number_of,
    stage_of,
)
from stagelift.evals.imports.objects import entries_of, read_object
from stagelift.evals.imports.published import differences
from stagelift.evals.imports.results import ImportedStage
from stagelift.evals.metrics.measures import directed, in_points, measure
from tests.imported import values, write_json


def test_documents_become_generations_scores_and_metrics_of_tasks() -> None:
    documents = [
        Measured("1", "2+2?", "4", {"match": 1.0}, [Response("4", 1, "stop"), Response("five")]),
        Measured("2", "1+1?", "2", {"match": 0.0}, [Response("3")], prompt="examples 1+1?"),
    ]
    stage = stage_of("m", {"sums": documents})
    assert values(stage) == {"sums/match": [1, 0]}
    assert [(row.id, row.sample, row.prompt) for row in stage.generations] == [
        ("sums/1", 0, "2+2?"),
        ("sums/1", 1, "2+2?"),
        ("sums/2", 0, "examples 1+1?"),
    ]
    assert [score.question for score in stage.scores] == ["2+2?", "2+2?", "1+1?"]
    assert list(stage.documents) == ["sums/1", "sums/2"]


def test_numbers_are_targets_only_where_right_responses_state_them() -> None:
    index = [Measured(str(n), "q", "1", {"acc": 1.0}, [Response("the second")]) for n in range(3)]
    stated = [Measured(str(n), "q", "1", {"acc": 1.0}, [Response("It is 1.")]) for n in range(3)]
    correct = {
        name: {score.correct for score in stage_of("m", {name: documents}).scores}
        for name, documents in (("index", index), ("stated", stated))
    }
    assert correct == {"index": {None}, "stated": {True}}


def test_what_is_called_a_share_and_is_none_is_in_points() -> None:
    percent = [Measured("1", "q", None, {"accuracy,choice": 85.0, "f1": 0.5})]
    assert values(stage_of("m", {"t": percent})) == {
        "t/accuracy points,choice": [85],
        "t/f1": [0.5],
    }
    assert measure("t/accuracy points,choice").unit == "points"
    assert (measure("t/accuracy,choice").unit, in_points("bleu")) == ("share", "bleu")


@pytest.mark.parametrize(
    ("metric", "better", "name"),
    [
        ("acc", "more", "acc"),
        ("acc", "less", "acc,lower is better"),
        ("perplexity", "less", "perplexity"),
        ("bits_per_byte", "more", "bits_per_byte,higher is better"),
    ],
)
def test_a_name_says_which_direction_is_better(metric: str, better: str, name: str) -> None:
    assert better in ("more", "less")
    named = directed(metric, "more" if better == "more" else "less")
    assert named == name and measure(f"task/{named}").better == better


def test_samples_are_averaged_over_those_that_have_a_metric() -> None:
    assert mean_by_metric([{"a": 1.0, "b": 1.0}, {"a": 0.0}]) == {"a": 0.5, "b": 1}


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, [1], 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert number_of(value) is None and (number_of(True), number_of(2)) == (1, 2)


def test_what_a_tool_printed_is_compared_with_the_mean_of_documents() -> None:
    stage = stage_of("m", {"t": [Measured(str(n), "q", None, {"f1": n / 3}) for n in range(3)]})
    assert differences("HELM", {"t/f1": 0.3333, "t/other": 1}, stage.task_scores) == []
    (said,) = differences("HELM", {"t/f1": 0.4}, stage.task_scores)
    assert "HELM says that t/f1 is 0.4, and the mean of its 3 documents here is 0.333333" in said


class Entry(BaseModel):
    name: str


def test_a_file_of_one_object_is_read_and_its_entries_are_named(tmp_path: Path) -> None:
    file = write_json(tmp_path / "x.json", {"rows": [{"name": "a"}, {"name": 1}]})
    content = read_object(file)
    with pytest.raises(ValueError, match=r"x\.json, row 2: name: Input should be a valid string"):
        entries_of(file, content["rows"], Entry, "row")
    with pytest.raises(ValueError, match=r"x\.json holds no list of rows"):
        entries_of(file, None, Entry, "row")


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_a_file_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(
        ValueError, match=r"x\.json (is not valid JSON|does not hold a JSON object)"
    ):
        read_object(tmp_path / "x.json")


def test_one_stage_tells_for_all_that_numbers_are_answers() -> None:
    def answered(name: str, response: str) -> ImportedStage:
        matched = {"exact_match": float(response == "4")}
        return stage_of(name, {"t": [Measured("1", "q", "4", matched, [Response(response)])]})

    alone = answered("base", "5")
    assert [score.correct for score in decide_targets([alone])[0].scores] == [None]
    stages = decide_targets([alone, answered("sft", "4")])
    assert [score.correct for stage in stages for score in stage.scores] == [False, True]
