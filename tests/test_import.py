"""Results produced elsewhere, through the command: what becomes of them, and what is refused."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report

DATA = Path(os.environ.get("STAGELIFT_DATA", Path(__file__).parents[2] / "shared" / "data"))


def imported(file: Path, form: str, folder: Path, name: str = "elsewhere") -> RunRecord:
    done = run_import(file, form, folder, name)
    assert done.exit_code == 0, done.output
    return read_run(folder / "runs" / name)


def run_import(file: Path, form: str, folder: Path, name: str = "elsewhere") -> Any:
    command = ["import", str(file), "--as", form, "--name", name, "--runs", str(folder / "runs")]
    return CliRunner().invoke(app, command)


def refused(rows: list[Any] | str, folder: Path, form: str = "responses") -> str:
    """Import what must be refused and return what was said; nothing may be written."""
    done = run_import(write(rows, folder), form, folder)
    assert done.exit_code == 2, done.output
    assert not (folder / "runs").exists()
    return str(done.output)


def write(rows: list[Any] | str, folder: Path, name: str = "rows.jsonl") -> Path:
    text = rows if isinstance(rows, str) else "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / name).write_text(text)
    return folder / name


def row(one: str = "1", response: str = "#### 4", **more: Any) -> dict[str, Any]:
    return {"id": one, "prompt": f"prompt {one}", "response": response, "target": "4", **more}


def test_several_stages_in_one_file_become_the_stages_of_one_run(tmp_path: Path) -> None:
    rows = [
        row(str(i), response, stage=stage)
        for stage, response in (("raw", "5"), ("sft", "#### 4"))
        for i in range(9)
    ]
    run = imported(write(rows, tmp_path), "responses", tmp_path)
    raw, sft = run.stages
    assert (raw.name, sft.name) == ("raw", "sft")
    assert (raw.evaluation.metrics["accuracy"].value, sft.evaluation.metrics["accuracy"].value) == (
        0,
        1,
    )
    assert sft.evaluation.metrics["win_rate_base"].value == 1
    assert sft.evaluation.passport is not None and sft.evaluation.passport.fit is None
    verdicts = {c.metric: c.verdict for c in build_report([run]).comparisons()}
    assert verdicts["accuracy"] == "improved"
    assert run.missing == [] and run.wall_clock_seconds == 0


def test_what_was_not_given_is_not_measured(tmp_path: Path) -> None:
    metrics = imported(write([row()], tmp_path), "responses", tmp_path).stages[0].evaluation.metrics
    assert {"accuracy", "accuracy_strict", "accuracy_flexible", "length_chars"} <= set(metrics)
    assert not {"length_tokens", "truncated", "win_rate_base", "preference_accuracy"} & set(metrics)
    rows = [row(n_tokens=3, finish_reason="length"), row("2", n_tokens=5, finish_reason="stop")]
    metrics = (
        imported(write(rows, tmp_path), "responses", tmp_path, "more").stages[0].evaluation.metrics
    )
    assert metrics["length_tokens"].value == 4 and metrics["truncated"].value == 0.5
    # known for some only
    rows = [row(n_tokens=3), row("2")]
    assert (
        "length_tokens"
        not in imported(write(rows, tmp_path), "responses", tmp_path, "some")
        .stages[0]
        .evaluation.metrics
    )


def test_rows_without_targets_have_lengths_and_no_accuracy(tmp_path: Path) -> None:
    rows = [{"id": i, "prompt": "p", "response": "r" * i} for i in range(1, 4)]
    stage = imported(write(rows, tmp_path), "responses", tmp_path).stages[0]
    assert "accuracy" not in stage.evaluation.metrics and stage.evaluation.outcomes == {}
    assert stage.evaluation.metrics["length_chars"].value == 2


def test_samples_are_averaged_within_their_prompt(tmp_path: Path) -> None:
    rows = [
        row("1", "4", sample=0),
        row("1", "5", sample=1),
        row("2", "5", sample=7),
        row("2", "5", sample=3),
    ]
    stage = imported(write(rows, tmp_path), "responses", tmp_path).stages[0]
    assert (stage.evaluation.metrics["accuracy"].value, stage.evaluation.metrics["accuracy"].n) == (
        0.25,
        2,
    )
    assert stage.evaluation.metrics["pass@2"].value == 0.5
    assert sum(stage.evaluation.outcomes.values()) == 4


def test_every_malformed_row_is_counted_and_named_by_its_line(tmp_path: Path) -> None:
    text = "\n".join(
        [
            json.dumps(row("1")),
            "{not json",
            json.dumps({"id": 3}),
            json.dumps(row("4")),
            json.dumps([1]),
        ]
    )
    message = refused(text, tmp_path)
    assert "3 of 5 rows" in message and "line 2, 3, 5" in message and "not valid JSON" in message


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(), row()], ["lines 1 and 2", "both id '1'"]),
        ([row(sample=1), row(sample=1)], ["lines 1 and 2", "sample 1"]),
        (
            [row(), row() | {"target": "5", "stage": "b"}],
            ["'responses' and 'b' have different targets under id '1'", "'4' and '5'"],
        ),
        ([row(), row() | {"prompt": "another", "stage": "b"}], ["different prompts"]),
        ([row(), row("2"), row(stage="b")], ["answer different prompts", "'b' lacks id '2'"]),
        ([row(n_tokens=-1)], ["n_tokens"]),
        ([], ["no rows"]),
    ],
)
def test_duplicates_and_contradictions_are_errors(
    rows: list[Any], words: list[str], tmp_path: Path
) -> None:
    message = " ".join(refused(rows, tmp_path).split())
    assert all(word in message for word in words), message


def test_a_missing_file_and_a_taken_name_are_refused(tmp_path: Path) -> None:
    assert run_import(tmp_path / "none.jsonl", "responses", tmp_path).exit_code == 2
    imported(write([row()], tmp_path), "responses", tmp_path)
    # the same file again is the same run
    imported(write([row()], tmp_path), "responses", tmp_path)
    assert run_import(write([row("2")], tmp_path), "responses", tmp_path).exit_code == 2


def test_two_imports_of_the_same_prompts_can_be_compared_and_others_not(tmp_path: Path) -> None:
    one = imported(write([row(), row("2")], tmp_path), "responses", tmp_path, "one")
    two = imported(write([row("2", "5"), row("1", "5")], tmp_path), "responses", tmp_path, "two")
    assert len(build_report([one, two]).runs) == 2
    three = imported(write([row(), row("3")], tmp_path), "responses", tmp_path, "three")
    with pytest.raises(ValueError, match="different contracts: data"):
        build_report([one, three])


def test_a_metric_that_one_stage_lacks_is_not_compared(tmp_path: Path) -> None:
    rows = [row(str(i), stage="a") for i in range(3)]
    rows += [row(str(i), stage="b", finish_reason="stop", n_tokens=3) for i in range(3)]
    compared = {
        c.metric
        for c in build_report(
            [imported(write(rows, tmp_path), "responses", tmp_path)]
        ).comparisons()
    }
    assert "accuracy" in compared and not {"truncated", "length_tokens"} & compared


def test_where_it_is_not_known_what_was_cut_off_there_is_no_such_outcome(tmp_path: Path) -> None:
    stage = imported(write([row()], tmp_path), "responses", tmp_path).stages[0]
    assert stage.evaluation.outcomes == {"correct": 1, "wrong": 0, "unparsed": 0}


def test_a_one_stage_file_can_be_compared_with_a_two_stage_file(tmp_path: Path) -> None:
    one = imported(write([row(stage="a")], tmp_path), "responses", tmp_path, "one")
    two = imported(write([row(stage="a"), row(stage="b")], tmp_path), "responses", tmp_path, "two")
    assert one.contract == two.contract


@pytest.mark.parametrize("missing", ["NaN", "Infinity", "null", '"nan"', '"None"', '""'])
def test_what_says_that_there_is_no_target_is_none(missing: str, tmp_path: Path) -> None:
    rows = f'{{"id": 1, "prompt": "p", "response": "r 42", "target": {missing}, "n_tokens": NaN}}'
    stage = imported(write(rows, tmp_path), "responses", tmp_path).stages[0]
    assert stage.scores[0].target is None and set(stage.evaluation.metrics) == {
        "length_chars",
        "length_chars_median",
        "length_chars_p90",
    }


@pytest.mark.parametrize(
    ("target", "text"), [(42, "42"), (42.0, "42"), (1e16, "1" + "0" * 16), (0.5, "0.5")]
)
def test_a_number_as_target_is_that_number(target: float, text: str, tmp_path: Path) -> None:
    rows = [row("1", text, target=target, stage="a"), row("1", text, target=text, stage="b")]
    run = imported(write(rows, tmp_path), "responses", tmp_path)
    assert [stage.evaluation.metrics["accuracy"].value for stage in run.stages] == [1, 1]


def test_a_truth_value_is_no_number(tmp_path: Path) -> None:
    done = run_import(write([row(response="1", target=True)], tmp_path), "responses", tmp_path)
    assert (
        "no target is a number" in done.output
        and "accuracy" not in read_run(tmp_path / "runs" / "elsewhere").stages[0].evaluation.metrics
    )
    assert "True stands where a number is needed" in refused_again([row(n_tokens=True)], tmp_path)


def refused_again(rows: list[Any], folder: Path) -> str:
    """Import what must be refused beside a run that is there."""
    done = run_import(write(rows, folder), "responses", folder, "again")
    assert done.exit_code == 2 and not (folder / "runs" / "again").exists()
    return str(done.output)


def test_what_servers_call_a_cut_off_counts_and_other_words_are_named(tmp_path: Path) -> None:
    reasons = ["max_tokens", "MAX_TOKENS", "length", "stop"]
    rows = [row(str(i), finish_reason=reason) for i, reason in enumerate(reasons)]
    stage = imported(write(rows, tmp_path), "responses", tmp_path).stages[0]
    assert stage.evaluation.metrics["truncated"].value == 0.75
    file = write([*rows, row("9", finish_reason="abort")], tmp_path)
    done = run_import(file, "responses", tmp_path, "named")
    assert done.exit_code == 0 and "'abort' of 1 responses" in " ".join(done.output.split())
    metrics = read_run(tmp_path / "runs" / "named").stages[0].evaluation.metrics
    assert "truncated" not in metrics


def test_windows_and_pandas_write_rows_too(tmp_path: Path) -> None:
    text = "\r\n".join(json.dumps(row(str(i), finish_reason=None)) for i in range(2))
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    stage = imported(tmp_path / "rows.jsonl", "responses", tmp_path).stages[0]
    assert stage.evaluation.metrics["accuracy"].n == 2


def test_a_file_of_another_kind_is_called_by_what_it_is(tmp_path: Path) -> None:
    results = json.dumps({"results": {}, "lm_eval_version": "0.4.9"}, indent=2)
    message = " ".join(refused(results, tmp_path, "lm-eval").split())
    assert "is lm-eval's results" in message and "--log_samples" in message


@pytest.mark.parametrize("name", ["nodes", "judges", "..", "a/b", "/tmp/x", ""])
def test_a_name_that_is_no_folders_is_refused(name: str, tmp_path: Path) -> None:
    done = run_import(write([row()], tmp_path), "responses", tmp_path, name)
    assert done.exit_code == 2 and "cannot be named" in done.output
    assert not (tmp_path / "runs").exists()


def test_text_that_no_file_can_hold_is_named_by_its_line(tmp_path: Path) -> None:
    message = refused(
        '{"id": 1, "prompt": "p", "response": "r"}\n{"id": 2, "prompt": "p", "response": '
        '"\\ud800"}',
        tmp_path,
    )
    assert "line 2" in message and "surrogate pair, which is no text" in message


def test_names_from_a_file_do_not_act_on_a_terminal(tmp_path: Path) -> None:
    rows = [annotation(one, 2.0, generator_2="m\x1b]0;PWN\x07") for one in "abc"]
    done = run_import(write(json.dumps(rows), tmp_path), "alpaca-eval", tmp_path)
    assert done.exit_code == 0 and "\x1b]0" not in done.output and "\x07" not in done.output


def annotation(
    instruction: str, preference: float | None, mine: str = "xx", **more: Any
) -> dict[str, Any]:
    texts = {"instruction": instruction, "output_1": "x", "output_2": mine}
    return {
        **texts,
        "generator_1": "gpt",
        "generator_2": "m",
        "annotator": "judge",
        "preference": preference,
        **more,
    }


def test_annotations_become_verdicts_against_the_reference(tmp_path: Path) -> None:
    rows = [
        annotation("a", 2.0),
        annotation("b", 1.25),
        annotation("c", None),
        annotation("d", 1.0),
    ]
    file = tmp_path / "annotations.json.gz"
    file.write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))
    stage = imported(file, "alpaca-eval", tmp_path).stages[0]
    rate = stage.evaluation.metrics["win_rate"]
    assert (rate.value, rate.n) == (pytest.approx(1.25 / 3), 3)
    assert stage.name == "m" and stage.evaluation.metrics["length_chars"].value == 2
    assert stage.evaluation.passport is not None and stage.evaluation.passport.failures == 1


def test_a_draw_written_0_is_a_draw_and_missing_verdicts_are_counted(tmp_path: Path) -> None:
    rows = [annotation(one, value) for one, value in zip("abcd", (2.0, 1.0, 0.0, 2.0), strict=True)]
    rows += [annotation("e", -1), annotation("f", float("nan"))]
    done = run_import(write(json.dumps(rows), tmp_path), "alpaca-eval", tmp_path)
    evaluation = read_run(tmp_path / "runs" / "elsewhere").stages[0].evaluation
    assert (evaluation.metrics["win_rate"].value, evaluation.metrics["win_rate"].n) == (0.625, 4)
    assert evaluation.win_tie_loss["win_rate"] == (2, 1, 1)
    assert "2 pairs of 'm' have no verdict" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([annotation("a", 2.5)], "preference 2.5 is none"),
        ([annotation("a", 2.0), annotation("a", 2.0)], "same instruction"),
        ([annotation("a", 2.0), annotation("b", 2.0, generator_2="n")], "different instructions"),
        (
            [annotation("a", 2.0), annotation("b", 2.0, annotator="other")],
            "several values of annotator",
        ),
    ],
)
def test_annotations_that_do_not_fit_are_refused(
    rows: list[Any], word: str, tmp_path: Path
) -> None:
    assert word in refused(json.dumps(rows), tmp_path, "alpaca-eval")


@pytest.mark.parametrize(
    ("name", "rate", "error"),
    [
        ("alpaca-7b", 2.591451, 0.487086),
        ("alpaca-farm-ppo-human", 4.100427, 0.630472),
        ("FuseChat-Llama-3.1-8B-Instruct", 63.331583, 1.422507),
    ],
)
def test_worked_figures_of_alpaca_eval(
    name: str, rate: float, error: float, tmp_path: Path
) -> None:
    file = DATA / "alpaca_eval" / f"{name}.annotations.json.gz"
    if not file.exists():
        pytest.skip("the AlpacaEval annotations are not here")
    stage = imported(file, "alpaca-eval", tmp_path).stages[0]
    found = stage.evaluation.metrics["win_rate"]
    assert found.n == 805
    assert 100 * found.value == pytest.approx(rate, abs=5e-7)
    # t with 804 degrees
    assert 100 * (found.high - found.low) / 2 / 1.9629 == pytest.approx(error, rel=1e-4)
    controlled = stage.evaluation.metrics["win_rate_lc"]
    assert controlled.low < controlled.value < controlled.high


def sample(doc_id: int, filtered: str, name: str, exact: float, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"q{doc_id}"},
        "target": "steps\n#### 18",
        "arguments": {"gen_args_0": {"arg_0": f"prompt {doc_id}", "arg_1": {"until": []}}},
        "resps": [["It is $18.00"]],
        "filtered_resps": [filtered],
        "filter": name,
        "metrics": ["exact_match"],
        "doc_hash": f"d{doc_id}",
        "target_hash": "t",
        "exact_match": exact,
        **more,
    }


def test_lm_evals_own_verdicts_are_kept_and_numeric_is_ours(tmp_path: Path) -> None:
    rows = [sample(i, "[invalid]", "strict-match", 0.0) for i in range(2)]
    rows += [sample(i, "$18.00", "flexible-extract", 0.0) for i in range(2)]
    file = write(rows, tmp_path, "samples_gsm8k_2026-01-02T03-04-05.678.jsonl")
    stage = imported(file, "lm-eval", tmp_path).stages[0]
    assert [score.id for score in stage.scores] == ["gsm8k/0", "gsm8k/1"]
    first = stage.scores[0]
    assert (first.correct, first.correct_strict, first.correct_flexible) == (True, False, False)
    assert (first.answer, first.answer_strict, first.answer_flexible) == ("18", None, "$18.00")
    # a row per filter is still one response
    assert stage.evaluation.metrics["length_chars"].n == 2


def test_scoring_an_lm_eval_import_again_changes_nothing(tmp_path: Path) -> None:
    rows = [sample(i, "18", "strict-match", 1.0, resps=[["The answer is 18."]]) for i in range(2)]
    before = imported(write(rows, tmp_path, "samples_gsm8k_cot.jsonl"), "lm-eval", tmp_path).stages[
        0
    ]
    done = CliRunner().invoke(app, ["rescore", "elsewhere", "--runs", str(tmp_path / "runs")])
    assert done.output.strip() == "lm-eval: nothing changed"
    assert before.evaluation.metrics["accuracy_strict"].value == 1


def test_matches_of_tasks_without_numbers_are_metrics_of_the_task(tmp_path: Path) -> None:
    rows = [sample(i, "(A)", "flexible-extract", float(i), target="(A)") for i in range(2)]
    stage = imported(write(rows, tmp_path, "samples_bbh.jsonl"), "lm-eval", tmp_path).stages[0]
    assert stage.evaluation.metrics["bbh/exact_match,flexible-extract"].value == 0.5


def test_log_likelihood_samples_have_metrics_only(tmp_path: Path) -> None:
    more = {
        "metrics": ["acc", "acc_norm"],
        "resps": [[["-1.5", "False"]], [["-2.5", "True"]]],
        "filter": "none",
    }
    more["arguments"] = {
        "gen_args_0": {"arg_0": "p", "arg_1": " a"},
        "gen_args_1": {"arg_0": "p", "arg_1": " b"},
    }
    rows = [sample(i, "x", "none", 0.0, acc=float(i), acc_norm=0.0, **more) for i in range(2)]
    stage = imported(write(rows, tmp_path, "samples_mmlu.jsonl"), "lm-eval", tmp_path).stages[0]
    assert stage.evaluation.metrics["mmlu/acc"].value == 0.5
    assert set(stage.evaluation.metrics) == {"mmlu/acc", "mmlu/acc_norm"} and stage.scores == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [sample(0, "18", "a", 1.0), sample(0, "18", "a", 1.0)],
            "both document 0 under filter 'a'",
        ),
        ([sample(0, "18", "a", 1.0), sample(0, "18", "b", 1.0, target="5")], "different targets"),
        ([sample(0, "18", "a", float("nan"))], "exact_match is nan"),
    ],
)
def test_samples_that_contradict_each_other_are_refused(
    rows: list[Any], words: str, tmp_path: Path
) -> None:
    assert words in " ".join(refused(rows, tmp_path, "lm-eval").split())


def test_a_judges_file_without_responses_is_a_run(tmp_path: Path) -> None:
    games = {"model_1": "m", "model_2": "ref", "judge": ["gpt-4", "pair-v2"], "turn": 1}
    rows = [
        {**games, "question_id": number, "g1_winner": "model_1", "g2_winner": winner}
        for number, winner in enumerate(("model_1", "model_2", "tie"))
    ]
    (stage,) = imported(write(rows, tmp_path), "mt-bench", tmp_path).stages
    assert stage.scores == [] and stage.evaluation.metrics["win_rate"].n == 3


def test_a_response_with_a_token_is_imported_without_it(tmp_path: Path) -> None:
    token = f"ghp_{'aB3' * 12}"
    rows = [row("1", f"Use:\n{token}\n#### 4"), row("2", f"{token} is #### 4")]
    done = run_import(write(rows, tmp_path), "responses", tmp_path)
    assert done.exit_code == 0, done.output
    record = read_run(tmp_path / "runs" / "elsewhere")
    stored = [file.read_text(encoding="utf-8") for file in (tmp_path / "runs").rglob("*.jsonl")]
    assert not any(token in text for text in stored)
    assert record.stages[0].evaluation.metrics["accuracy"].value == 1
