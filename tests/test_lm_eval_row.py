"""Samples of lm-eval by version, through the command: what becomes of them, and what is said."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.lm_eval_row import SampleRow
from stagelift.reports.records import RunRecord, read_run
from tests.test_import import imported, refused, run_import, sample, write


def before_0_4_7(doc_id: int, response: str, filtered: str, exact: float) -> dict[str, Any]:
    """A row that names neither filter nor metrics."""
    row = sample(doc_id, filtered, "any", exact, resps=[[response]])
    del row["filter"], row["metrics"]
    return row


def before_0_4_3(row: dict[str, Any]) -> dict[str, Any]:
    """The same in a list, with requests as lists and without hashes."""
    request = row["arguments"]["gen_args_0"]
    kept = {key: value for key, value in row.items() if not key.endswith("_hash")}
    return kept | {"arguments": [[request["arg_0"], request["arg_1"]]]}


def old_rows() -> list[dict[str, Any]]:
    """Two documents under two filters, the first of which reads only one of them."""
    first = [before_0_4_7(0, "#### 18", "18", 1.0), before_0_4_7(1, "It is 18", "[invalid]", 0.0)]
    second = [before_0_4_7(0, "#### 18", "18", 1.0), before_0_4_7(1, "It is 18", "18", 1.0)]
    return first + second


def said(rows: list[Any] | str, folder: Path, name: str) -> tuple[str, RunRecord]:
    done = run_import(write(rows, folder, name), "lm-eval", folder)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split()), read_run(folder / "runs" / "elsewhere")


def test_rows_without_filters_are_one_response_each_and_metrics_by_order(tmp_path: Path) -> None:
    output, run = said(old_rows(), tmp_path, "samples_gsm8k_2024-10-01T10-00-00.000000.jsonl")
    metrics = run.stages[0].evaluation.metrics
    assert (metrics["accuracy"].value, metrics["accuracy"].n) == (1, 2)
    assert metrics["gsm8k/exact_match,filter-1"].value == 0.5
    assert metrics["gsm8k/exact_match,filter-2"].value == 1
    assert "accuracy_strict" not in metrics and "before 0.4.7" in output


def test_a_list_of_the_first_versions_is_of_the_same_contract_as_rows(tmp_path: Path) -> None:
    rows = [before_0_4_7(i, "#### 18", "18", 1.0) for i in range(2)]
    for row in rows:
        # as lm-eval hashes them
        made = SampleRow.model_validate(before_0_4_3(row))
        row.update(doc_hash=made.doc_hash, target_hash=made.target_hash)
    lines = imported(write(rows, tmp_path, "samples_gsm8k.jsonl"), "lm-eval", tmp_path, "lines")
    listed = json.dumps([before_0_4_3(row) for row in rows], indent=2)
    one = imported(write(listed, tmp_path, "samples_gsm8k.json"), "lm-eval", tmp_path, "listed")
    assert one.contract == lines.contract
    assert one.stages[0].evaluation.metrics == lines.stages[0].evaluation.metrics


def test_hashes_are_those_of_lm_eval() -> None:
    row = SampleRow.model_validate(sample(0, "", "none", 0.0, doc={"a": "é"}, doc_hash=""))
    # sha256sum of the document as JSON in three lines
    assert row.doc_hash == "b5ae292d17fb4383a97796d5d926011d5caedf92998389d36257775ae91aa691"


def test_documents_with_unequal_numbers_of_rows_are_refused(tmp_path: Path) -> None:
    message = refused(old_rows()[:3], tmp_path, "lm-eval")
    assert "2 rows of document 0 and 1 of document 1" in message and "before 0.4.7" in message


def test_two_responses_to_one_document_are_refused(tmp_path: Path) -> None:
    rows = [sample(0, "18", "a", 1.0), sample(0, "18", "b", 1.0, resps=[["another"]])]
    assert "different responses to document 0" in refused(rows, tmp_path, "lm-eval")


def test_a_file_that_is_not_called_by_its_task_does_not_tell_it(tmp_path: Path) -> None:
    """Files of one task, each called by its model, are of one task."""
    output, run = said(old_rows(), tmp_path, "pretrained__my-model_gsm8k.jsonl")
    assert run.contract["task"] == "task"
    assert "name it samples_TASK.jsonl" in output


def test_a_gzipped_file_is_of_the_same_task(tmp_path: Path) -> None:
    file = tmp_path / "samples_gsm8k_2026-01-02T03-04-05.678.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(sample(0, "18", "none", 1.0)).encode(), mtime=0))
    assert imported(file, "lm-eval", tmp_path).contract["task"] == "gsm8k"


def test_targets_that_are_numbers_become_text_and_log_likelihoods_have_metrics(
    tmp_path: Path,
) -> None:
    choices = {"gen_args_0": {"arg_0": "q", "arg_1": " a"}}
    rows = [
        {**before_0_4_7(i, "", "", 0.0), "target": 1, "arguments": choices, "acc": float(i)}
        for i in range(2)
    ]
    for row in rows:
        del row["exact_match"]
    _, run = said(rows, tmp_path, "samples_arc_easy_2024-07-01T10-00-00.000000.jsonl")
    assert {name: m.value for name, m in run.stages[0].evaluation.metrics.items()} == {
        "arc_easy/acc": 0.5
    }


def test_a_dummy_target_makes_no_accuracy_and_lists_are_said_to_be_left_out(
    tmp_path: Path,
) -> None:
    metrics = {"metrics": ["strict_acc", "by_instruction"], "target": "0", "strict_acc": True}
    rows = [sample(i, "", "none", 0.0, **metrics, by_instruction=[True, False]) for i in range(2)]
    output, run = said(rows, tmp_path, "samples_ifeval_2025-06-01T10-00-00.000000.jsonl")
    stage = run.stages[0]
    assert "accuracy" not in stage.evaluation.metrics and stage.evaluation.outcomes == {}
    assert stage.evaluation.metrics["ifeval/strict_acc"].value == 1
    assert "by_instruction is left out" in output and "there is no accuracy" in output


def test_predict_only_has_accuracy_of_worked_answers_and_no_metric(tmp_path: Path) -> None:
    rows = [sample(i, "18", "none", 0.0, metrics=["bypass"], bypass=999) for i in range(2)]
    output, run = said(rows, tmp_path, "samples_gsm8k_2025-06-01T10-00-00.000000.jsonl")
    metrics = run.stages[0].evaluation.metrics
    assert metrics["accuracy"].value == 1 and not any("bypass" in name for name in metrics)
    assert "bypass is left out" in output


def test_matches_of_a_filter_are_metrics_where_not_every_target_is_a_number(
    tmp_path: Path,
) -> None:
    rows = [
        sample(0, "18", "strict-match", 1.0),
        sample(1, "x", "strict-match", 0.0, target="x + 1"),
    ]
    output, run = said(rows, tmp_path, "samples_math.jsonl")
    metrics = run.stages[0].evaluation.metrics
    assert metrics["math/exact_match,strict-match"].n == 2 and metrics["accuracy"].n == 1
    assert "1 of 2 prompts have no target that is a number" in output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"exact_match": 7.0}, "exact_match is 7.0, and can be 0 to 1"),
        ({"metrics": ["score"], "score": 10**400}, "a number of more than 308 digits"),
        ({"metrics": ["score"], "score": float("inf")}, "metric score is inf"),
        ({"metrics": ["score"]}, "metric score is None"),
        ({"resps": [[None]]}, "a response is NoneType"),
        ({"resps": [[]]}, "no response"),
        ({"doc_id": True}, "doc_id is True"),
    ],
)
def test_values_that_cannot_be_are_refused(
    more: dict[str, Any], words: str, tmp_path: Path
) -> None:
    message = " ".join(refused([sample(0, "18", "a", 1.0) | more], tmp_path, "lm-eval").split())
    assert words in message
