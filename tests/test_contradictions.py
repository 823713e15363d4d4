"""Records that were changed after they were written are named by report, check and rescore."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stagelift.evals.folders import EvaluationFolder
from stagelift.harness.cli import app
from stagelift.reports.contradictions import refuse_contradictions
from stagelift.reports.recount import told_otherwise
from tests.test_import import annotation, run_import, sample, write
from tests.unhashed import unhashed

Rows = list[dict[str, Any]]
NAN = float("nan")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two stages with three prompts, and one of a judge's and of a task's numbers."""
    folder = tmp_path_factory.mktemp("written")
    rows = [
        {"id": f"p{i}", "prompt": "q", "target": "4", "stage": stage, "response": response}
        | {"n_tokens": 2 + i, "finish_reason": "stop"}
        for stage, response in (("a", "5"), ("b", "#### 4"))
        for i in range(3)
    ]
    assert run_import(write(rows, folder), "responses", folder, "two").exit_code == 0
    pairs = json.dumps([annotation(one, value) for one, value in (("x", 2.0), ("y", 1.0))])
    assert run_import(write(pairs, folder), "alpaca-eval", folder, "judged").exit_code == 0
    task = [sample(i, "", "none", 1.0, target="t", resps=[["t"]]) for i in range(2)]
    task_file = write(task, folder, "samples_words.jsonl")
    assert run_import(task_file, "lm-eval", folder, "task").exit_code == 0
    return unhashed(folder / "runs")


def evaluation(runs: Path, run: str, stage: int = -1) -> Path:
    """Return where a stage of a run was evaluated."""
    stages = json.loads((runs / run / "run.json").read_text())["stages"]
    return runs / str(stages[stage]["evaluation"])


def rewritten(file: Path, change: Callable[[Rows], Rows]) -> str:
    """Change the rows of a file, say what is said of it, and put back what was there."""
    before = file.read_bytes()
    rows = change([json.loads(line) for line in before.decode().splitlines()])
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return said(file, before)


def retold(file: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """The same for result.json."""
    before = file.read_bytes()
    content = json.loads(before)
    change(content)
    file.write_text(json.dumps(content))
    return said(file, before)


def said(file: Path, before: bytes) -> str:
    folder = file.parent.parent if file.parent.name == "tasks" else file.parent
    with pytest.raises(ValueError, match="contradicts itself") as refusal:
        refuse_contradictions(EvaluationFolder(folder).read_all())
    file.write_bytes(before)
    refuse_contradictions(EvaluationFolder(folder).read_all())
    return str(refusal.value)


def first(**changed: Any) -> Callable[[Rows], Rows]:
    """Change fields of the first row."""
    return lambda rows: [rows[0] | changed, *rows[1:]]


def without_first(rows: Rows) -> Rows:
    return rows[1:]


def first_twice(rows: Rows) -> Rows:
    return [*rows, rows[0]]


@pytest.mark.parametrize(
    ("run", "file", "change", "words"),
    [
        (
            "two",
            "scores.jsonl",
            without_first,
            "scores.jsonl lacks 1 of the 3 rows of generations.jsonl",
        ),
        ("two", "generations.jsonl", without_first, "generations.jsonl lacks 1 of the 3 rows"),
        ("two", "generations.jsonl", first_twice, "generations.jsonl has 'p0', sample 0 2 times"),
        ("two", "scores.jsonl", first_twice, "scores.jsonl has 'p0', sample 0 2 times"),
        ("two", "scores.jsonl", first(id="p9"), "lacks 1 of the 3 rows"),
        ("two", "scores.jsonl", first(n_tokens=9), "says n_tokens 9, and generations.jsonl 2"),
        ("two", "generations.jsonl", first(response="a"), "says n_chars 6, and generations"),
        ("two", "generations.jsonl", first(finish_reason="length"), "says truncated False"),
        ("two", "scores.jsonl", first(correct=False), "says correct False, and outcome correct"),
        (
            "two",
            "scores.jsonl",
            first(correct=False, outcome="wrong"),
            "result.json says accuracy is 1, n=3, and scores.jsonl gives 0.666667, n=3",
        ),
        ("two", "verdicts.jsonl", without_first, "verdicts.jsonl gives 1, n=2"),
        ("two", "verdicts.jsonl", lambda _: [], "verdicts.jsonl gives n=0"),
        ("two", "verdicts.jsonl", first_twice, "verdicts.jsonl has 'p0', test, base 2 times"),
        ("two", "verdicts.jsonl", first(id="p9"), "judges 'p9', which has no response"),
        ("judged", "verdicts.jsonl", first(score=7), "a score of"),
        ("judged", "verdicts.jsonl", first(score=None), "result.json says win_rate is 0.5, n=2"),
        (
            "task",
            "tasks/words.jsonl",
            without_first,
            "words/exact_match is 1, n=2, and tasks gives",
        ),
        ("task", "tasks/words.jsonl", lambda _: [], "tasks gives n=0"),
        ("task", "tasks/words.jsonl", first(value=NAN), "in tasks is nan"),
    ],
)
def test_a_changed_row_is_named(
    written: Path, run: str, file: str, change: Callable[[Rows], Rows], words: str
) -> None:
    assert words in rewritten(evaluation(written, run) / file, change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told["metrics"].pop("accuracy"), "gives accuracy, and result.json lacks it"),
        (lambda told: told["metrics"]["accuracy"].update(value=0.5), "accuracy is 0.5, n=3"),
        (lambda told: told["metrics"]["accuracy"].update(n=4), "accuracy is 1, n=4"),
        (lambda told: told["metrics"]["accuracy"].update(high=1.5), "in result.json is 1.5"),
        (
            lambda told: told["metrics"]["length_tokens"].update(low=9),
            "the lower end of length_tokens in result.json is 9",
        ),
        (lambda told: told["metrics"]["length_tokens_p90"].update(value=3.5), "_p90 is 3.5, n=3"),
        (lambda told: told["outcomes"].update(correct=2), "result.json counts {"),
        (
            lambda told: told["win_tie_loss"].update(win_rate_base=[1, 2, 0]),
            "counts (1, 2, 0) wins, ties and losses",
        ),
    ],
)
def test_a_changed_result_is_named(
    written: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    assert words in retold(evaluation(written, "two") / "result.json", change)


def test_a_result_that_is_no_number_is_named(written: Path) -> None:
    file = evaluation(written, "two") / "result.json"
    kept = file.read_text()
    try:
        told = json.loads(kept)
        told["metrics"]["accuracy"]["value"] = NAN
        file.write_text(json.dumps(told))
        with pytest.raises(ValueError, match=r"result\.json is not valid JSON: NaN is no number"):
            EvaluationFolder(evaluation(written, "two")).read_all()
    finally:
        file.write_text(kept)


@pytest.mark.parametrize("run", ["two", "judged", "task"])
def test_what_was_written_is_counted_the_same(written: Path, run: str) -> None:
    assert list(told_otherwise(EvaluationFolder(evaluation(written, run)).read_all())) == []


@pytest.mark.parametrize(
    "command", [["report", "two"], ["check", "two", "--baseline", "two"], ["rescore", "two"]]
)
def test_commands_end_with_the_sentence(command: list[str], written: Path) -> None:
    file = evaluation(written, "two") / "scores.jsonl"
    before = file.read_bytes()
    file.write_bytes(before.split(b"\n", 1)[1])
    done = CliRunner().invoke(app, [*command, "--runs", str(written)])
    file.write_bytes(before)
    words = " ".join(done.output.split())
    assert done.exit_code == 2 and "lacks 1 of the 3 rows of generations.jsonl" in words, (
        done.output
    )


def test_a_problem_taken_out_of_every_record_of_one_stage_is_named(written: Path) -> None:
    folder = evaluation(written, "two", 0)
    before = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    for name in ("scores.jsonl", "generations.jsonl"):
        (folder / name).write_bytes(before[folder / name].split(b"\n", 1)[1])
    told = json.loads(before[folder / "result.json"])
    values = {"accuracy": 0, "accuracy_strict": 0, "accuracy_flexible": 0, "truncated": 0}
    lengths = {"length_tokens": 3.5, "length_tokens_median": 3.5, "length_tokens_p90": 3.9}
    for name, metric in told["metrics"].items():
        value = (values | lengths).get(name, 1)
        metric |= {"n": 2, "value": value, "low": min(metric["low"], value)}
    told["outcomes"]["wrong"] = 2
    (folder / "result.json").write_text(json.dumps(told))
    done = CliRunner().invoke(app, ["report", "two", "--runs", str(written)])
    for file, content in before.items():
        file.write_bytes(content)
    words = " ".join(done.output.split())
    assert done.exit_code == 2 and "were not asked the same: they differ in 'p0'" in words, words
