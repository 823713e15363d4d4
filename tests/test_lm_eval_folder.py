"""lm-eval's output folders, by version: several tasks of a model, and what lm-eval printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.formats import reader_of
from stagelift.evals.imports.lm_eval import read_samples
from stagelift.evals.imports.lm_eval_folder import read_lm_eval
from stagelift.evals.metrics.measures import measure
from tests.imported import values, write_json, write_lines
from tests.test_import import sample

TIME = "2026-01-21T03-44-18.458309"


def choice(doc_id: int, right: float) -> dict[str, Any]:
    """A row of a multiple-choice task."""
    return sample(
        doc_id,
        "x",
        "none",
        0.0,
        metrics=["acc"],
        acc=right,
        target="1",
        resps=[[["-1.5", "False"]], [["-2.5", "True"]]],
        arguments={"gen_args_0": {"arg_0": "p", "arg_1": " a"}},
    )


def gsm8k(doc_id: int, right: float) -> list[dict[str, Any]]:
    response = "#### 18" if right else "#### 17"
    filters = ("strict-match", "flexible-extract")
    return [
        sample(doc_id, response[5:], name, right, resps=[[response]]) | {"target": "#### 18"}
        for name in filters
    ]


def results(**more: Any) -> dict[str, Any]:
    printed = {
        "arc": {"acc,none": 0.5, "acc_stderr,none": 0.5},
        "gsm8k": {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 1.0},
    }
    return {"results": printed, "model_name": "org/model", "lm_eval_version": "0.4.9", **more}


def write(folder: Path, written: dict[str, Any] | None = None) -> Path:
    write_lines(folder / f"samples_arc_{TIME}.jsonl", [choice(0, 1.0), choice(1, 0.0)])
    write_lines(folder / f"samples_gsm8k_{TIME}.jsonl", gsm8k(0, 1.0))
    write_json(folder / f"results_{TIME}.json", written or results())
    return folder


def test_the_tasks_in_a_folder_are_one_stage(tmp_path: Path) -> None:
    imported = read_lm_eval(write(tmp_path))
    (stage,) = imported.stages
    assert stage.name == "org/model" and imported.contract["task"] == "arc, gsm8k"
    # of one task among several, its own matches stand beside the accuracy
    assert values(stage) == {
        "arc/acc": [1, 0],
        "gsm8k/exact_match,strict-match": [1],
        "gsm8k/exact_match,flexible-extract": [1],
    }
    assert [score.correct for score in stage.scores] == [True]
    assert [note for note in imported.notes if "lm-eval says" in note] == []
    assert "accuracy is over the documents of all tasks" in " ".join(imported.notes)


def test_a_folder_of_one_task_is_what_its_file_is(tmp_path: Path) -> None:
    file = write_lines(tmp_path / f"samples_gsm8k_{TIME}.jsonl", gsm8k(0, 1.0))
    alone, folder = read_lm_eval(file), read_lm_eval(tmp_path)
    assert alone == read_samples(file)
    assert alone.contract == folder.contract and values(folder.stages[0]) == {}
    assert folder.stages[0].name == tmp_path.name


def test_what_lm_eval_printed_is_compared(tmp_path: Path) -> None:
    printed = results(**{"n-samples": {"arc": {"original": 9, "effective": 9}}})
    printed["results"]["arc"]["acc,none"] = 0.75
    printed["results"]["mmlu"] = {"acc,none": 0.5}
    said = " ".join(read_lm_eval(write(tmp_path, printed)).notes)
    assert "arc/acc is 0.75, and the mean of its 2 documents here is 0.5" in said
    assert "asked 9 documents of 'arc', and 2 are in the file" in said
    assert "printed results of mmlu, of which there are no samples" in said


def test_the_results_say_which_direction_is_better(tmp_path: Path) -> None:
    rows = [sample(0, "x", "none", 0.0, metrics=["regret"], regret=2.0)]
    write_lines(tmp_path / f"samples_game_{TIME}.jsonl", rows)
    less = {"game": {"regret": False}}
    printed = {"results": {"game": {"regret,none": 2.0}}, "higher_is_better": less}
    write_json(tmp_path / f"results_{TIME}.json", printed)
    imported = read_lm_eval(tmp_path)
    assert values(imported.stages[0]) == {"game/regret,lower is better": [2]}
    assert measure("game/regret,lower is better").better == "less"


def test_folders_of_before_0_4_3_name_tasks_after_the_arguments(tmp_path: Path) -> None:
    arguments = "pretrained=org/model,dtype=float32"
    printed = {"results": {"arc": {}, "arc_easy": {}}, "config": {"model_args": arguments}}
    write_json(tmp_path / "results.json", printed)
    row = choice(0, 1.0)
    del row["filter"], row["metrics"], row["doc_hash"], row["target_hash"], row["exact_match"]
    row["arguments"] = [["p", " a"]]
    name = "pretrained__org__model,dtype__float32_arc_easy.jsonl"
    (tmp_path / name).write_text(json.dumps([row], indent=2))
    imported = read_lm_eval(tmp_path)
    assert values(imported.stages[0]) == {"arc_easy/acc": [1]}
    assert imported.stages[0].name == "org/model"
    assert reader_of(tmp_path).name == "lm-eval"


def before_0_4_7(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("filter", "metrics")}


def test_filters_that_rows_do_not_name_are_those_of_the_results_whose_means_they_have(
    tmp_path: Path,
) -> None:
    first, second = (gsm8k(0, 1.0), gsm8k(1, 0.0))
    first[1]["exact_match"] = second[1]["exact_match"] = 1.0
    rows = [before_0_4_7(row) for row in (first[0], second[0], first[1], second[1])]
    write_lines(tmp_path / f"samples_gsm8k_{TIME}.jsonl", rows)
    printed = {"exact_match,strict-match": 0.5, "exact_match,flexible-extract": 1.0}
    write_json(tmp_path / f"results_{TIME}.json", {"results": {"gsm8k": printed}})
    assert values(read_lm_eval(tmp_path).stages[0]) == {
        "gsm8k/exact_match,strict-match": [1, 0],
        "gsm8k/exact_match,flexible-extract": [1, 1],
    }
    other = {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 0.5}
    write_json(tmp_path / f"results_{TIME}.json", {"results": {"gsm8k": other}})
    assert "gsm8k/exact_match,filter-1" in values(read_lm_eval(tmp_path).stages[0])


def test_two_runs_of_a_task_in_one_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    write_lines(tmp_path / "samples_arc_2026-01-22T03-44-18.458309.jsonl", [choice(0, 1.0)])
    with pytest.raises(ValueError, match="are both of task 'arc'"):
        read_lm_eval(tmp_path)


def test_samples_of_several_models_in_one_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    later = "2026-01-22T03-44-18.458309"
    write_lines(tmp_path / f"samples_mmlu_{later}.jsonl", [choice(0, 1.0)])
    write_json(tmp_path / f"results_{later}.json", results(model_name="org/other"))
    with pytest.raises(ValueError, match=r"several models \(org/model, org/other\)"):
        read_lm_eval(tmp_path)


def test_results_that_are_no_results_are_passed_over(tmp_path: Path) -> None:
    odd = {"results": [1], "config": "x", "n-samples": 3, "higher_is_better": {"arc": 1}}
    imported = read_lm_eval(write(tmp_path, odd))
    assert imported.stages[0].name == tmp_path.name
