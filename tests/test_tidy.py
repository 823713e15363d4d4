"""Rows, frames and CSV: numbers as they are stored, and nothing where nothing was measured."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from stagelift.evals.records import Metric
from stagelift.reports.formats.frames import comparison_frame, problem_frame, stage_frame
from stagelift.reports.formats.tidy import CSV_COLUMNS, problem_rows, render_csv
from stagelift.reports.records import read_run
from stagelift.reports.report import Report, build_report
from tests.records import make_chain, make_run, make_score, make_stage

STORED = Path(__file__).parent / "data" / "earlier" / "stored"


@pytest.fixture(scope="module")
def stored() -> Report:
    return build_report([read_run(STORED / "chain")])


def test_a_stage_frame_has_the_numbers_of_every_metric(stored: Report) -> None:
    frame = stage_frame(stored)
    assert list(frame.columns) == [
        "run",
        "stage",
        "kind",
        "parent",
        "metric",
        "unit",
        "better",
        "value",
        "low",
        "high",
        "n",
        "clusters",
    ]
    assert len(frame) == sum(len(stage.evaluation.metrics) for stage in stored.stages())
    for row in frame.itertuples():
        metric = stored.runs[0].record.stage(row.stage).evaluation.metrics[row.metric]
        assert (row.value, row.low, row.high, row.n) == (
            metric.value,
            metric.low,
            metric.high,
            metric.n,
        )
    assert frame["value"].dtype == float and str(frame["n"].dtype) == "Int64"
    assert frame.loc[frame["stage"] == "base", "parent"].isna().all()


def test_a_comparison_frame_has_every_comparison_and_those_between_runs() -> None:
    report = build_report(
        [
            make_chain("one", base="cw" * 9, sft="cc" * 9),
            make_chain("two", base="cw" * 9, sft="wc" * 9),
        ]
    )
    frame = comparison_frame(report)
    assert len(frame) == len(report.comparisons()) + len(report.between)
    between = frame[frame["family"] == "runs"]
    assert set(between["run"]) == {"two"} and set(between["against_run"]) == {"one"}
    within = frame[frame["family"] != "runs"]
    assert (within["run"] == within["against_run"]).all()
    (accuracy,) = between[between["metric"] == "accuracy"].itertuples()
    assert accuracy.difference == -0.5 and accuracy.verdict in ("regressed", "not after Holm")


def test_a_problem_frame_has_a_row_for_each_stage_prompt_and_sample(stored: Report) -> None:
    frame = problem_frame(stored)
    scored = frame[frame["question"].notna()]
    assert len(scored) == sum(len(stage.scores) for stage in stored.stages())
    assert not frame.duplicated(["run", "stage", "group", "prompt", "sample"]).any()
    assert scored["response"].notna().all()
    tested = scored[(scored["stage"] == "sft") & (scored["group"] == "test")]
    accuracy = stored.runs[0].record.stage("sft").evaluation.metrics["accuracy"].value
    assert tested["correct"].mean() == pytest.approx(accuracy)


def test_every_metric_by_prompt_has_a_column_whose_mean_is_its_value(stored: Report) -> None:
    frame = problem_frame(stored)
    stage = stored.runs[0].record.stage("sft")
    columns = [name for name in stage.evaluation.metrics if name in frame.columns]
    assert any(name.startswith("win_rate") for name in columns)
    for name in columns:
        mean = frame.loc[frame["stage"] == "sft", name].mean()
        assert mean == pytest.approx(stage.evaluation.metrics[name].value)


def test_what_was_not_measured_is_missing_and_never_a_number() -> None:
    scores = [
        make_score("p/0", True).model_copy(update={"n_tokens": None, "correct_strict": None}),
        make_score("p/1", False),
    ]
    frame = problem_frame(build_report([make_run([make_stage("base", scores)])]))
    assert frame["n_tokens"].isna().tolist() == [True, False]
    assert frame["correct_strict"].isna().tolist() == [True, False]
    assert str(frame["correct"].dtype) == "boolean" and frame["cluster"].isna().all()


def test_every_sample_has_its_own_response() -> None:
    scores = [make_score("p/0", True), make_score("p/0", False, sample=1)]
    stage = make_stage("base", scores)
    first = stage.generations["p/0"]
    later = first.model_copy(update={"sample": 1, "response": "It is 5."})
    rows = problem_rows(build_report([make_run([replace(stage, later_samples=(later,))])]))
    assert [(row.sample, row.response) for row in rows] == [(0, first.response), (1, "It is 5.")]


def test_documents_of_a_task_are_rows_of_their_own() -> None:
    stage = make_stage("base", [make_score("p/0", True)])
    rate = Metric(value=0.5, low=0.0, high=1.0, n=2)
    metrics = {**stage.evaluation.metrics, "arc/acc": rate}
    values = {"arc/acc": {"arc/0": 1.0, "arc/1": 0.0}}
    evaluation = stage.evaluation.model_copy(update={"metrics": metrics})
    run = make_run([replace(stage, evaluation=evaluation, stored_values=values)])
    frame = problem_frame(build_report([run]))
    tasks = frame[frame["group"] == "task"]
    assert tasks["prompt"].tolist() == ["arc/0", "arc/1"]
    assert tasks["arc/acc"].tolist() == [1.0, 0.0] and tasks["response"].isna().all()
    assert frame.loc[frame["group"] == "test", "arc/acc"].isna().all()


def test_frames_of_nothing_have_their_columns() -> None:
    report = build_report([make_chain(base="cw")])
    frame = comparison_frame(report)
    assert frame.empty and "p_adjusted" in frame.columns


def test_a_csv_reads_back_as_the_frames(stored: Report) -> None:
    table = pd.read_csv(io.StringIO(render_csv(stored)))
    assert list(table.columns) == list(CSV_COLUMNS)
    values = table[table["quantity"] == "value"].reset_index()
    assert values["estimate"].tolist() == stage_frame(stored)["value"].tolist()
    differences = table[table["quantity"] == "difference"].reset_index()
    assert differences["estimate"].tolist() == comparison_frame(stored)["difference"].tolist()


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("x")\n,\x1b[31m/acc', '\'=HYPERLINK("x") ,<U+001B>[31m/acc'),
        ("＝1/acc", "'＝1/acc"),
        ("＠SUM/acc", "'＠SUM/acc"),
        ("\t=1/acc", "'=1/acc"),
        ("\r=1/acc", "<U+000D>=1/acc"),
    ],
)
def test_a_name_is_no_formula_and_no_second_row(name: str, cell: str) -> None:
    run = make_chain(base="cw")
    stage = run.stages[0]
    rate = Metric(value=0.5, low=0.0, high=1.0, n=2)
    evaluation = stage.evaluation.model_copy(update={"metrics": {name: rate}})
    report = build_report([replace(run, stages=[replace(stage, evaluation=evaluation)])])
    rows = list(csv.DictReader(io.StringIO(render_csv(report))))
    assert [row["metric"] for row in rows] == [cell]
