"""Scoring a stored run again, and evaluating a checkpoint, through the command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.harness.graph.digest import digest
from stagelift.reports.records import read_run
from tests.conftest import environment
from tests.test_run import node, tree

# they share one finished run
pytestmark = pytest.mark.xdist_group("run")


def command(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "stagelift", *words]
    return subprocess.run(
        line, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.fixture
def copied(finished_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished_run.parent, tmp_path / "runs")
    return tmp_path / "runs" / "tiny"


def as_an_earlier_version(run: Path, extraction: str | None) -> None:
    """Give the records another extraction (None: of before there was one), and one response another
    reading.
    """
    record = json.loads((run / "run.json").read_text())
    for stage in record["stages"]:
        held = run.parent / stage["evaluation"]
        result = json.loads((held / "result.json").read_text())
        del result["contract"]["extraction"]
        result["contract"] |= {} if extraction is None else {"extraction": extraction}
        if stage["name"] == "sft":
            result["metrics"]["accuracy"]["value"] = 1 / 12
            first, *rest = (held / "scores.jsonl").read_text().splitlines()
            score = json.loads(first) | {"correct": True, "answer": "77", "outcome": "correct"}
            (held / "scores.jsonl").write_text("\n".join([json.dumps(score), *rest]) + "\n")
        (held / "result.json").write_text(json.dumps(result))
        stage["evaluation"] = f"{stage['node']}/evals/{digest(result['contract'])}"
        held.rename(run.parent / stage["evaluation"])
    (run / "run.json").write_text(json.dumps(record))


def test_what_is_read_the_same_way_stays_as_it_is(copied: Path) -> None:
    before = tree(copied.parent)
    done = command("rescore", "tiny", folder=copied.parent.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{stage}: nothing changed" for stage in ("base", "sft", "dpo", "grpo")
    ]
    assert {
        name for name, content in tree(copied.parent).items() if before.get(name) != content
    } <= {"tiny/.lock"}


def test_a_changed_scorer_says_what_it_changed_and_keeps_the_old_records(copied: Path) -> None:
    as_an_earlier_version(copied, "numeric-0")
    before = tree(copied.parent)
    done = command("rescore", "tiny", folder=copied.parent.parent)
    assert done.returncode == 0, done.stderr
    assert "sft: 1 responses count otherwise now" in done.stdout
    assert "read 77 before (correct)" in done.stdout
    assert "accuracy numeric: 8.3% [" in done.stdout
    after = tree(copied.parent)
    written_anew = {"tiny/run.json", "tiny/report.md", "tiny/report.json"}
    assert all(
        after[name] == content for name, content in before.items() if name not in written_anew
    )
    run = read_run(copied)
    assert run.contract["extraction"] == "numeric-1"
    # carried over: no model was asked
    assert run.stages[1].evaluation.metrics["preference_accuracy"].n == 6
    assert "nothing changed" in command("rescore", "tiny", folder=copied.parent.parent).stdout


def test_a_run_of_the_time_before_the_numeric_reading_is_named_with_its_remedy(
    copied: Path,
) -> None:
    as_an_earlier_version(copied, None)
    refused = command("report", "tiny", folder=copied.parent.parent)
    assert refused.returncode == 2 and "stagelift rescore tiny" in refused.stderr
    assert command("rescore", "tiny", folder=copied.parent.parent).returncode == 0
    assert command("report", "tiny", folder=copied.parent.parent).returncode == 0


def test_a_checkpoint_is_evaluated_as_a_stage_with_the_scores_of_its_run(
    finished_run: Path, tiny_model: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    adapter = node(finished_run.parent, "sft") / "adapter"
    words = [
        "evaluate",
        str(tiny_model),
        "--adapter",
        str(adapter),
        "--recipe",
        str(tiny_recipe_file),
        "--name",
        "other",
    ]
    done = command(*words, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run, whole = read_run(tmp_path / "runs" / "other"), read_run(finished_run)
    assert [stage.name for stage in run.stages] == ["base", "checkpoint"]
    # so that the two can be compared
    assert run.contract == whole.contract
    for mine, theirs in zip(run.stages, whole.stages[:2], strict=True):
        assert mine.scores == theirs.scores
        assert mine.pairs == theirs.pairs
        assert mine.evaluation.metrics == theirs.evaluation.metrics


def test_a_folder_that_is_no_adapter_is_refused(
    tiny_model: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    done = command(
        "evaluate",
        str(tiny_model),
        "--adapter",
        ".",
        "--recipe",
        str(tiny_recipe_file),
        folder=tmp_path,
    )
    assert done.returncode == 2 and "is no LoRA adapter" in done.stderr
    assert not (tmp_path / "runs").exists()
