"""Benchmarks: what they print, and that each measures what it says on a small scale."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as every
from benchmarks.faults.bench import differences
from benchmarks.faults.kills import Kill, Moment, summary
from benchmarks.faults.kills import KilledRun as Killed
from benchmarks.scaling import exponent
from benchmarks.sides import Ratio, Side, measure, ratio
from benchmarks.table import Table, markdown, table_of, turned
from tests.conftest import environment

TITLE = "Seconds a step"
ROWS = [{"stage": "sft", "ours": 0.5, "TRL": 1.23456}, {"stage": "dpo", "TRL": 12345.6}]


def test_rows_become_a_table_with_an_empty_cell_where_one_lacks_a_column() -> None:
    table = table_of(TITLE, ROWS)
    assert table.columns == ("stage", "ours", "TRL")
    assert table.rows == (("sft", 0.5, 1.23456), ("dpo", "", 12345.6))


def test_markdown_has_numbers_on_the_right_with_three_digits_that_count() -> None:
    table = Table(TITLE, ("stage", "TRL"), (("sft", 1.23456), ("dpo", 12345.6)), ("Once.",))
    assert markdown(table) == (
        "**Seconds a step**\n\n| stage | TRL |\n| --- | ---: |\n| sft | 1.23 |\n"
        "| dpo | 12,346 |\n\nOnce."
    )


def test_a_turned_table_has_a_line_for_each_column() -> None:
    table = turned(Table(TITLE, ("stage", "ours"), (("sft", 0.5), ("dpo", 0.7))))
    assert (table.columns, table.rows) == (("stage", "sft", "dpo"), (("ours", 0.5, 0.7),))


def test_a_ratio_is_the_median_of_the_rounds_with_the_lowest_and_the_highest() -> None:
    assert ratio([6.0, 4.0, 9.0], [2.0, 2.0, 2.0]) == Ratio(3.0, 2.0, 4.5)
    assert str(ratio([6.0, 4.0, 9.0], [2.0, 2.0, 2.0])) == "3.00 [2.00, 4.50]"


def test_time_that_grows_as_size_has_exponent_one() -> None:
    rows = [{"problems": 16, "s": 2.0}, {"problems": 64, "s": 9.0}, {"problems": 256, "s": 32.0}]
    assert exponent(rows, "problems", "s") == pytest.approx(1.0)


def test_gsm8k_is_asked_only_where_its_folder_is_given() -> None:
    without, given = every.commands(None, None), every.commands(Path("/gsm8k"), ["evaluation"])
    assert sum("--gsm8k" in command for command in without) == 0
    assert [command[0] for command in given] == ["benchmarks.evaluation"] * 2
    assert "/gsm8k" in given[1]


def test_a_side_answers_from_a_process_of_its_own() -> None:
    done = measure(Side("ours", "builtins:sorted", {"b": 1, "a": 2}))
    assert done.answer == ["a", "b"]
    # the kernel counts what the process that starts it holds, too, until it is another program
    assert done.peak_bytes > 1e6 and done.seconds > 0


def test_a_side_that_fails_is_named_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match=r"ours ended with 1:[\s\S]*TypeError: unsupported"):
        measure(Side("ours", "builtins:sum", {"b": 1}))


def test_runs_differ_in_bytes_and_in_numbers_but_not_in_what_took_how_long(tmp_path: Path) -> None:
    def write(side: str, **files: str) -> Path:
        for name, text in files.items():
            file = tmp_path / side / "nodes" / "sft-1" / name.replace("_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path / side

    told = '{"metrics": {"accuracy": 0.5}, "seconds": '
    whole = write("whole", result_json=f"{told}1}}", scores_jsonl="1", train_log="a")
    same = write("same", result_json=f"{told}2}}", scores_jsonl="1", train_log="b")
    other = write("other", result_json=f"{told.replace('0.5', '0.6')}1}}", scores_jsonl="2")
    assert differences(whole, same) == []
    assert differences(whole, other) == ["sft-1/result.json", "sft-1/scores.jsonl"]
    (same / "nodes" / "sft-1" / "scores.jsonl").unlink()
    assert differences(whole, same) == ["sft-1/scores.jsonl"]


def test_kills_are_counted_by_who_was_struck_and_in_what() -> None:
    at = "nodes/sft-1/evals/c/scores.jsonl"
    kills = [
        Kill(1, 1, "worker, SIGKILL", Moment(2.0, None), at=at, code=1),
        Kill(2, 1, "worker, SIGKILL", Moment(None, 3), "nodes/sft-1/adapter/x", 70, problems=["!"]),
    ]
    rows = {row["struck"]: row for row in summary([Killed(1, kills, code=0)])}
    assert rows["worker, SIGKILL"] == {
        "struck": "worker, SIGKILL",
        "kills": 2,
        "in training": 1,
        "in evaluation": 1,
        "exit codes": "1, 70",
        "with a problem": 1,
    }
    assert rows["conductor, SIGINT"]["kills"] == 0


@pytest.mark.real
def test_the_fuzz_benchmark_tries_so_many_cases_and_counts_them(tmp_path: Path) -> None:
    words = ["--cases", "150", "--only", "judge's word", "--seed", "3", "--output", "fuzz.json"]
    command = [sys.executable, "-m", "benchmarks.fuzz", *words]
    subprocess.run(command, env=environment(), cwd=tmp_path, check=True)
    written = json.loads((tmp_path / "fuzz.json").read_text())
    (row,) = written["rows"]
    assert (row["cases"], row["broken laws"], written["broken"]) == (200, 0, {})


@pytest.mark.real
@pytest.mark.parametrize(
    "words",
    [
        ["evaluation", "--problems", "4", "--max-tokens", "8", "--rounds", "1"],
        ["training", "--steps", "2", "--rounds", "1"],
        ["quickstart", "--scale", "32", "--rounds", "1"],
        ["scaling", "--problems", "4", "8"],
    ],
)
def test_a_benchmark_measures_a_tiny_model_and_both_sides_agree(
    words: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    name, *rest = words
    command = [sys.executable, "-m", f"benchmarks.{name}", *rest, "--model", str(tiny_model)]
    done = subprocess.run(
        [*command, "--format", "json"],
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=True,
    )
    (table,) = json.loads(done.stdout)
    cells = dict(row[:2] for row in table["rows"])
    assert cells.get("equal outcomes", "4 of 4") == "4 of 4"
    assert cells.get("largest difference", 0) < 1e-5


@pytest.mark.real
def test_the_gpu_benchmark_measures_every_part_of_a_small_model(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--output", str(output)]
    subprocess.run(command, env=environment(), cwd=tmp_path, check=True)
    parts = json.loads(output.read_text())["parts"]
    assert not any(part["notes"] for part in parts.values())
    assert [row["stage"] for row in parts["steps"]["rows"]] == ["sft", "dpo", "grpo"]
    same = [row for row in parts["tokens"]["rows"] if row["engine"] == "ours, same text"]
    assert [row["tokens/s"] for row in same] == ["4 of 4"]
