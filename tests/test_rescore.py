"""Scoring a stored run again, and evaluating a checkpoint, through the command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
from stagelift.harness.cli import app
from stagelift.harness.graph.digest import digest
from stagelift.harness.recipes.read import evaluation_recipe
from stagelift.reports.records import StageRecord, read_run
from tests import shared
from tests.in_process import run_recipe
from tests.test_run import node, tree
from tests.unhashed import unhashed


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def copied(finished_run: Path, tmp_path: Path) -> Path:
    return shared.copied(finished_run.parent, tmp_path / "runs") / "tiny"


def as_an_earlier_version(run: Path, extraction: str | None) -> None:
    """Give the records another extraction (None: of before there was one), and one response another
    reading.
    """
    unhashed(run.parent)
    record = json.loads((run / "run.json").read_text())
    for stage in record["stages"]:
        held = run.parent / stage["evaluation"]
        result = json.loads((held / "result.json").read_text())
        del result["contract"]["extraction"]
        result["contract"] |= {} if extraction is None else {"extraction": extraction}
        if stage["name"] == "sft":
            result["metrics"]["accuracy"] |= {"value": 1 / 12, "high": 0.5}
            result["outcomes"] |= {"correct": 1, "truncated": 11}
            first, *rest = (held / "scores.jsonl").read_text().splitlines()
            score = json.loads(first) | {"correct": True, "answer": "77", "outcome": "correct"}
            (held / "scores.jsonl").write_text("\n".join([json.dumps(score), *rest]) + "\n")
        (held / "result.json").write_text(json.dumps(result))
        stage["evaluation"] = f"{stage['node']}/evals/{digest(result['contract'])}"
        held.rename(run.parent / stage["evaluation"])
    (run / "run.json").write_text(json.dumps(record))


def test_what_is_read_the_same_way_stays_as_it_is(
    stagelift: Callable[..., Result], copied: Path
) -> None:
    before = tree(copied.parent)
    done = stagelift("rescore", "tiny")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{stage}: nothing changed" for stage in ("base", "sft", "dpo", "grpo")
    ]
    assert {
        name for name, content in tree(copied.parent).items() if before.get(name) != content
    } <= {"tiny/.lock"}


def test_a_changed_scorer_says_what_it_changed_and_keeps_the_old_records(
    stagelift: Callable[..., Result], copied: Path
) -> None:
    as_an_earlier_version(copied, "numeric-0")
    before = tree(copied.parent)
    done = stagelift("rescore", "tiny")
    assert done.exit_code == 0, done.stderr
    assert "sft: 1 responses count otherwise now" in done.stdout
    assert "read 77 before (correct)" in done.stdout
    assert "accuracy numeric: 8.3% [" in done.stdout
    after = tree(copied.parent)
    written_anew = {"tiny/run.json", "tiny/report.md", "tiny/report.svg", "tiny/report.json"}
    assert all(
        after[name] == content for name, content in before.items() if name not in written_anew
    )
    run = read_run(copied)
    assert run.contract["extraction"] == EXTRACTION
    # carried over: no model was asked
    assert run.stages[1].evaluation.metrics["preference_accuracy"].n == 6
    assert "nothing changed" in stagelift("rescore", "tiny").stdout


def test_a_run_of_the_time_before_the_numeric_reading_is_named_with_its_remedy(
    stagelift: Callable[..., Result], copied: Path
) -> None:
    as_an_earlier_version(copied, None)
    refused = stagelift("report", "tiny")
    assert refused.exit_code == 2 and "stagelift rescore tiny" in refused.stderr
    assert stagelift("rescore", "tiny").exit_code == 0
    assert stagelift("report", "tiny").exit_code == 0


def test_a_checkpoint_is_evaluated_as_a_stage_with_the_scores_of_its_run(
    finished_run: Path, tiny_model: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    adapter = node(finished_run.parent, "sft") / "adapter"
    recipe = evaluation_recipe(str(tiny_recipe_file), [], str(tiny_model), str(adapter), "other")
    run_recipe(recipe, tmp_path / "runs")
    run, whole = read_run(tmp_path / "runs" / "other"), read_run(finished_run)
    assert [stage.name for stage in run.stages] == ["base", "checkpoint"]
    # so that the two can be compared
    assert run.contract == whole.contract
    for mine, theirs in zip(run.stages, whole.stages[:2], strict=True):
        assert mine.scores == theirs.scores
        assert mine.pairs == theirs.pairs
        assert without_times(mine) == without_times(theirs)


def without_times(stage: StageRecord) -> dict[str, Metric]:
    metrics = stage.evaluation.metrics
    return {name: metric for name, metric in metrics.items() if measure(name).unit != "seconds"}


def test_a_folder_that_is_no_adapter_is_refused(
    stagelift: Callable[..., Result], tiny_model: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    words = ["evaluate", str(tiny_model), "--adapter", ".", "--recipe", str(tiny_recipe_file)]
    done = stagelift(*words)
    assert done.exit_code == 2 and "is no LoRA adapter" in done.stderr
    assert not (tmp_path / "runs").exists()
