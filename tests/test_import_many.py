"""Many files, or a folder, become one run through the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from stagelift.reports.run_file import StageSource


def run_import(folder: Path, *arguments: str, name: str = "many") -> Any:
    command = ["import", *arguments, "--name", name, "--runs", str(folder / "runs")]
    return CliRunner().invoke(app, command)


def imported(folder: Path, *arguments: str, name: str = "many") -> tuple[RunRecord, str]:
    done = run_import(folder, *arguments, name=name)
    assert done.exit_code == 0, done.output
    return read_run(folder / "runs" / name), " ".join(done.output.split())


def whole_report(folder: Path, name: str = "many") -> str:
    """All that the terminal can say of a run that was imported."""
    runs = ["--runs", str(folder / "runs")]
    done = CliRunner().invoke(app, ["report", name, "--full", *runs], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def refused(folder: Path, *arguments: str) -> str:
    """Import what must be refused and return what was said; nothing may be written."""
    done = run_import(folder, *arguments, name="refused")
    assert done.exit_code == 2, done.output
    assert not (folder / "runs" / "refused").exists()
    return " ".join(str(done.output).split())


def put(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(file)


def row(number: int, response: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "prompt": f"p{number}", "response": response, "target": "4", **more}


def chain(folder: Path) -> list[str]:
    """Two files of twelve problems, the second in another order and numbered by row."""
    base = [row(n, "5") for n in range(12)]
    sft = [row(n, "4") | {"id": 11 - n} for n in reversed(range(12))]
    return [f"base={put(folder, 'a.jsonl', base)}", f"sft={put(folder, 'b.jsonl', sft)}"]


def test_files_are_stages_compared_in_the_order_given(tmp_path: Path) -> None:
    run, said = imported(tmp_path, *chain(tmp_path))
    assert [(stage.name, stage.parent) for stage in run.stages] == [
        ("base", None),
        ("sft", "base"),
    ]
    verdicts = {one.metric: one.verdict for one in build_report([run]).comparisons()}
    assert verdicts["accuracy"] == "improved"
    assert "documents are paired by prompt and target" in said
    assert "base: " in said and "(responses by row)" in said
    source = run.stages[1].source
    assert isinstance(source, StageSource) and (source.file, source.format) == (
        "b.jsonl",
        "responses",
    )


def test_a_report_says_where_stages_are_from_and_what_was_left_out(tmp_path: Path) -> None:
    a = put(tmp_path, "a.jsonl", [row(1, "4"), row(2, "4")])
    b = put(tmp_path, "b.jsonl", [row(1, "4")])
    assert "'b' lacks id '2'" in refused(tmp_path, a, b)
    run, said = imported(tmp_path, a, b, "--common")
    assert run.notes == ("1 of 2 documents are left out: not every stage answered them",)
    page = (tmp_path / "runs" / "many" / "report.html").read_text()
    for words in ("1 of 2 documents are left out", "a.jsonl (responses, sha256"):
        assert words in page and words in whole_report(tmp_path)
    assert "a.jsonl" in said and "lacks" not in said


def test_the_same_files_again_are_the_same_run_and_others_are_not(tmp_path: Path) -> None:
    files = chain(tmp_path)
    run, _ = imported(tmp_path, *files)
    again, _ = imported(tmp_path, *files)
    assert again.contract_id == run.contract_id
    done = run_import(tmp_path, *reversed(files))
    assert done.exit_code == 2 and "another recipe: imported.files.0" in done.output


def test_a_folder_says_its_order_and_how_to_give_another(tmp_path: Path) -> None:
    for name in ("dpo", "base", "sft"):
        put(tmp_path / "out", f"{name}.jsonl", [row(1, "4")])
    (tmp_path / "out" / "config.json").write_text('{"a": 1}')
    run, said = imported(tmp_path, str(tmp_path / "out"))
    assert [stage.name for stage in run.stages] == ["base", "sft", "dpo"]
    assert "name the files in order: base=FILE sft=FILE" in said
    assert "Passed over: config.json" in said


def test_variants_and_seeds_become_a_study(tmp_path: Path) -> None:
    rows = [row(n, "5", stage="base") for n in range(8)]
    rows += [
        row(n, "4" if n < right else "5", stage="sft", variant=variant, seed=seed)
        for variant, rights in (("r=4", (4, 5, 6)), ("r=16", (7, 8, 6)))
        for seed, right in enumerate(rights)
        for n in range(8)
    ]
    run, said = imported(tmp_path, put(tmp_path, "study.jsonl", rows))
    assert [(one.variant, one.seed) for one in run.chains][:2] == [("r=4", 0), ("r=4", 1)]
    assert run.reference == "r=4" and run.stages[0].name == "base"
    report = build_report([run]).runs[0]
    assert {(one.variant, one.stage) for one in report.variants} == {
        ("r=4", "sft"),
        ("r=16", "sft"),
    }
    over = {one.stage: one for one in report.seeds if one.metric == "accuracy" and not one.against}
    assert over["r=16/sft"].value == pytest.approx(7 / 8)
    assert over["r=4/sft"].seeds == (0, 1, 2)
    assert "r=16" in said


def test_seeds_without_a_base_are_seeds_too(tmp_path: Path) -> None:
    rows = [
        row(n, "4" if n < 5 + s else "5", stage="sft", seed=s) for s in range(3) for n in range(9)
    ]
    run, _ = imported(tmp_path, put(tmp_path, "seeds.jsonl", rows))
    over = [one for one in build_report([run]).runs[0].seeds if one.metric == "accuracy"]
    assert [(one.stage, one.value) for one in over] == [("sft", pytest.approx(6 / 9))]


def test_verdicts_of_another_judge_are_the_runs_verdicts(tmp_path: Path) -> None:
    files = chain(tmp_path)
    rows = [
        {"prompt": f"p{n}", "response_1": "4", "response_2": "5", "preference": 1 + (n % 3 == 0)}
        for n in range(12)
    ]
    verdicts = put(tmp_path, "verdicts.jsonl", [*rows, {**rows[0], "prompt": "other"}])
    run, said = imported(tmp_path, *files, "--verdicts", verdicts)
    metric = run.stages[1].evaluation.metrics["win_rate_base"]
    assert (metric.value, metric.n) == (pytest.approx(8 / 12), 12)
    assert str(run.contract["judge"]).startswith("verdicts-1:")
    assert "1 of 13 verdicts of verdicts.jsonl are left out" in said
    old = [{**verdict, "response_1": "old"} for verdict in rows]
    assert "but on other responses" in refused(
        tmp_path, *files, "--verdicts", put(tmp_path, "old.jsonl", old)
    )


def annotations(model: str, better: int) -> list[dict[str, Any]]:
    return [
        {
            "instruction": f"i{n}",
            "output_1": "theirs",
            "output_2": f"{model} {n}",
            "generator_1": "gpt",
            "generator_2": model,
            "annotator": "judge",
            "preference": 2.0 if n < better else 1.0,
        }
        for n in range(40)
    ]


def test_win_rates_against_one_reference_are_compared_between_stages(tmp_path: Path) -> None:
    files = [
        put(tmp_path, f"{model}.jsonl", annotations(model, better))
        for model, better in (("sft", 4), ("rlhf", 24))
    ]
    run, said = imported(tmp_path, *files)
    (step,) = [
        one
        for one in build_report([run]).comparisons()
        if (one.metric, one.against) == ("win_rate", "sft")
    ]
    assert (step.stage, step.delta, step.n) == ("rlhf", pytest.approx(0.5), 40)
    assert step.verdict == "improved" and step.family == "headline"
    assert "+50.0 [" in said and "] improved" in said
    assert "improved the win rate against the reference" in whole_report(tmp_path)
    other = [{**one, "annotator": "another"} for one in annotations("dpo", 9)]
    assert "they differ in judge ('judge' and 'another')" in refused(
        tmp_path, files[0], put(tmp_path, "dpo.jsonl", other)
    )


def test_formats_are_mixed_where_nothing_contradicts(tmp_path: Path) -> None:
    sample = {
        "doc_id": 0,
        "doc": {"question": "p1"},
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": "Q: p1", "arg_1": {"until": []}}},
        "resps": [["4"]],
        "filtered_resps": ["4"],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "exact_match": 1.0,
    }
    first = put(tmp_path, "base/samples_gsm8k_2026-01-01T00-00-00.jsonl", [sample])
    second = put(tmp_path, "mine.jsonl", [row(1, "4")])
    run, _ = imported(tmp_path, f"base={first}", f"mine={second}")
    assert run.contract["imported"] == "lm-eval + responses"
    lm_eval, mine = run.stages
    assert set(lm_eval.first_scores()) == set(mine.first_scores())
    other = put(tmp_path, "sft/samples_mmlu_2026-01-01T00-00-00.jsonl", [sample])
    assert "they differ in task ('gsm8k' and 'mmlu')" in refused(tmp_path, first, other)


def test_an_lm_eval_task_of_digits_has_an_accuracy_where_one_stage_got_any_right(
    tmp_path: Path,
) -> None:
    def rows(right: int) -> list[dict[str, Any]]:
        said = ["4" if n < right else "5" for n in range(40)]
        fields = {"filter": "none", "metrics": ["exact_match"], "target": "4", "target_hash": "t"}
        return [
            {"doc_id": n, "doc": {}, "doc_hash": f"d{n}"}
            | {"arguments": {"gen_args_0": {"arg_0": f"p{n}", "arg_1": {"until": []}}}}
            | {"resps": [[text]], "filtered_resps": [text], "exact_match": float(text == "4")}
            | fields
            for n, text in enumerate(said)
        ]

    files = [
        f"{name}={put(tmp_path, f'{name}/samples_sums.jsonl', rows(right))}"
        for name, right in (("base", 0), ("sft", 20))
    ]
    run, said = imported(tmp_path, *files)
    assert [stage.evaluation.metrics["accuracy"].value for stage in run.stages] == [0, 0.5]
    assert "targets are numbers" not in said
    (found,) = [one for one in build_report([run]).comparisons() if one.metric == "accuracy"]
    assert found.difference.delta == 0.5
    done = CliRunner().invoke(app, ["rescore", "many", "--runs", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output


def measured_by_lm_eval(folder: Path, name: str, values: dict[str, dict[str, float]]) -> str:
    """Three lm-eval documents whose metrics are as given by their number."""
    rows = [
        {"doc_id": n, "doc": {}, "doc_hash": f"d{n}", "target": "a", "target_hash": "t"}
        | {"arguments": {"gen_args_0": {"arg_0": f"p{n}", "arg_1": {"until": []}}}}
        | {"resps": [["b"]], "filtered_resps": ["b"], "filter": "none"}
        | {"metrics": list(values.get(str(n), {}))}
        | values.get(str(n), {})
        for n in range(3)
    ]
    return f"{name}={put(folder, f'{name}/samples_sums.jsonl', rows)}"


def test_a_metric_that_a_stage_lacks_stays_with_the_others_and_is_not_compared(
    tmp_path: Path,
) -> None:
    bare = measured_by_lm_eval(tmp_path, "base", {})
    full = measured_by_lm_eval(tmp_path, "sft", {str(n): {"f1": 0.5} for n in range(3)})
    run, said = imported(tmp_path, bare, full)
    assert ["sums/f1" in stage.evaluation.metrics for stage in run.stages] == [False, True]
    assert "sums/f1 is not compared: 'base' has none" in said


def test_a_metric_that_some_documents_lack_is_refused_by_name_or_cut(tmp_path: Path) -> None:
    part = measured_by_lm_eval(tmp_path, "base", {str(n): {"f1": 0.1} for n in range(2)})
    full = measured_by_lm_eval(tmp_path, "sft", {str(n): {"f1": 0.5} for n in range(3)})
    assert "sums/f1 is not measured on the same documents" in refused(tmp_path, part, full)
    run, said = imported(tmp_path, part, full, "--common")
    assert [stage.evaluation.metrics["sums/f1"].n for stage in run.stages] == [2, 2]
    assert "sums/f1 is of the 2 of 3 documents that have it in all stages" in said


def test_lengths_and_scores_that_are_no_such_numbers_are_refused_in_a_sentence(
    tmp_path: Path,
) -> None:
    long = put(tmp_path, "long.jsonl", [row(n, "4", n_tokens=10**30) for n in range(2)])
    assert "n_tokens: Input should be less than or equal to" in refused(tmp_path, long)
    result = {"provider": "m", "prompt": {"raw": "p"}, "vars": {}, "success": True}
    results = {"version": 3, "results": [result | {"score": 1e308}] * 2}
    file = tmp_path / "promptfoo.json"
    file.write_text(json.dumps({"results": results, "config": {}}))
    assert f"{file} holds numbers that are too large to average" in refused(tmp_path, str(file))


def test_columns_are_mapped_and_what_is_not_recognised_says_how(tmp_path: Path) -> None:
    file = put(tmp_path, "rows.jsonl", [{"question": "p", "output": "4", "gold": 4, "n": 1}])
    said = refused(tmp_path, file)
    assert "'gold', 'n', 'output', 'question'" in said
    assert "--columns prompt=question,response=output,target=gold" in said
    run, _ = imported(tmp_path, file, "--columns", "prompt=question,response=output,target=gold")
    assert run.stages[0].evaluation.metrics["accuracy"].value == 1
    assert "Leave one of the two out" in refused(
        tmp_path, file, "--columns", "response=output", "--format", "lm-eval"
    )


def test_columns_are_mapped_in_the_files_that_have_them(tmp_path: Path) -> None:
    mine = put(tmp_path, "mine.jsonl", [row(1, "4")])
    theirs = put(tmp_path, "theirs.jsonl", [{"q": "p1", "response": "4", "target": 4}])
    run, _ = imported(tmp_path, mine, theirs, "--columns", "prompt=q")
    assert [stage.name for stage in run.stages] == ["mine", "theirs"]
    assert "no column 'goal'" in refused(tmp_path, mine, "--columns", "target=goal")
    assert "no column 'goal'" in refused(tmp_path, theirs, "--columns", "prompt=q,target=goal")


def test_names_and_prompts_of_files_do_not_act_on_a_terminal(tmp_path: Path) -> None:
    a = put(tmp_path, "a\x1b]0;x.jsonl", [row(1, "4") | {"prompt": "\x1b]0;PWN\x07"}])
    b = put(tmp_path, "b.jsonl", [row(1, "4")])
    done = run_import(tmp_path, a, b)
    assert done.exit_code == 2 and "\x1b" not in done.output and "\x07" not in done.output
