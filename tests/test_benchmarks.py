"""Benchmarks: what they print, and that each measures what it says on a small scale."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.table import Table, markdown, table_of
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
