"""Whole runs on the tiny model, through the command: what is stored, what a kill leaves, what a
re-run does.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from stagelift.stages.records import StageResult

STAGES = ("sft", "dpo", "grpo")
# they share one finished run
pytestmark = pytest.mark.xdist_group("run")


def command(recipe: Path) -> list[str]:
    return [sys.executable, "-m", "stagelift", "run", str(recipe)]


def start(recipe: Path, folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    return subprocess.Popen(
        command(recipe),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    return output


def node(root: Path, kind: str) -> Path:
    return next((root / "nodes").glob(f"{kind}-*"))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def record(finished_run: Path) -> RunRecord:
    return read_run(finished_run)


def trained(record: RunRecord, name: str) -> StageResult:
    result = next(stage.training for stage in record.stages if stage.name == name)
    assert result is not None
    return result


def test_every_stage_is_trained_and_evaluated_on_the_same_problems(record: RunRecord) -> None:
    assert [stage.name for stage in record.stages] == ["base", *STAGES]
    assert len({tuple(score.id for score in stage.scores) for stage in record.stages}) == 1
    for stage in record.stages:
        assert sum(stage.evaluation.outcomes.values()) == 12
        assert len(stage.generations) == 16
        assert stage.evaluation.metrics["accuracy_held_out"].n == 4
        assert stage.evaluation.metrics["sums/acc"].n == len(stage.task_scores["sums/acc"]) == 6
    judged = {"win_rate_base", "win_rate_previous"}
    assert [set(stage.verdicts) for stage in record.stages] == [set(), *[judged] * 3]


def test_every_trained_stage_has_preference_accuracy_and_a_judge_with_a_passport(
    record: RunRecord,
) -> None:
    base, *trained_stages = record.stages
    assert "preference_accuracy" not in base.evaluation.metrics and base.evaluation.passport is None
    for stage in trained_stages:
        assert stage.evaluation.metrics["preference_accuracy"].n == len(stage.pairs) == 6
        passport = stage.evaluation.passport
        assert passport is not None and passport.gold is not None
        assert (passport.judge, passport.fit, passport.gold.agreement.value) == (
            "reference-2",
            True,
            1,
        )
    report = build_report([record])
    assert report.passports["tiny"].pairs == sum(
        s.evaluation.passport.pairs for s in trained_stages if s.evaluation.passport
    )
    compared = {(c.metric, c.stage, c.against) for c in report.comparisons}
    assert {("sums/acc", "dpo", "sft"), ("preference_accuracy", "grpo", "base")} <= compared


def test_the_record_says_what_training_cost(record: RunRecord) -> None:
    for name, steps in zip(STAGES, (12, 6, 5), strict=True):
        result = trained(record, name)
        assert (result.steps, len(result.history), result.device, result.dtype) == (
            steps,
            steps,
            "cpu",
            "float32",
        )
        assert result.tokens > 0 and result.seconds > 0 and result.peak_memory_bytes > 10**8
        # r=4, two layers, q and v: 2 * 2 * (32 + 32) * 4
        assert result.trainable_parameters == 1024
        assert all("loss" in row for row in result.history)
    for row in trained(record, "grpo").history:
        assert {"reward", "kl", "rewards/correctness/mean", "rewards/share_of_letters/mean"} <= set(
            row
        )


def test_the_reference_of_dpo_and_grpo_is_the_previous_stage(record: RunRecord) -> None:
    # ln 2: policy = reference
    assert trained(record, "dpo").history[0]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert trained(record, "grpo").history[0]["kl"] == pytest.approx(0, abs=1e-6)
    # and then it moves
    assert max(float(str(row["kl"])) for row in trained(record, "grpo").history) > 0


def test_one_adapter_is_carried_through_the_chain(finished_run: Path) -> None:
    adapters = [node(finished_run.parent, kind) / "adapter" for kind in STAGES]
    weights = [(adapter / "adapter_model.safetensors").read_bytes() for adapter in adapters]
    assert len(set(weights)) == 3
    for adapter in adapters:
        assert not (adapter / "ref").exists()
        assert json.loads((adapter / "adapter_config.json").read_text())["r"] == 4


def test_a_finished_run_trains_nothing_and_stays_as_it_is(
    finished_run: Path, tiny_recipe_file: Path
) -> None:
    before = tree(finished_run.parent)
    output = finish(start(tiny_recipe_file, finished_run.parent.parent))
    assert "starting to" not in output
    assert tree(finished_run.parent) == before


def interrupted(
    recipe: Path, folder: Path, ready: Callable[[Path], bool], strike: Callable[[int], None]
) -> str:
    """Start the run, strike as soon as `ready`, and return what it printed."""
    process = start(recipe, folder)
    deadline = time.monotonic() + 240
    while not ready(folder / "runs"):
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    strike(process.pid)
    return finish(process)


def in_training(kind: str, step: int) -> Callable[[Path], bool]:
    def ready(root: Path) -> bool:
        return any((root / "nodes").glob(f"{kind}-*/checkpoints/checkpoint-{step}/complete"))

    return ready


def in_evaluation(kind: str) -> Callable[[Path], bool]:
    return lambda root: any((root / "nodes").glob(f"{kind}-*/evals/*/generations.jsonl"))


def kill_all(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_worker(pid: int) -> None:
    psutil.Process(pid).children()[0].kill()


def press_ctrl_c(pid: int) -> None:
    os.kill(pid, signal.SIGINT)


def test_killed_at_any_moment_a_run_ends_with_the_same_bytes(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    interrupted(tiny_recipe_file, tmp_path, in_training("sft", 3), kill_all)
    # it really was killed in the middle
    assert not (node(root, "sft") / "stage.json").exists()
    output = interrupted(tiny_recipe_file, tmp_path, in_training("dpo", 2), kill_worker)
    assert "ended by signal 9" in output and "Go on with: stagelift run" in output
    assert not (node(root, "dpo") / "stage.json").exists()
    output = interrupted(tiny_recipe_file, tmp_path, in_training("grpo", 2), press_ctrl_c)
    assert "Interrupted" in output and "Go on with: stagelift run" in output
    assert not (node(root, "grpo") / "stage.json").exists()
    interrupted(tiny_recipe_file, tmp_path, in_evaluation("grpo"), kill_all)
    assert not any(node(root, "grpo").glob("evals/*/result.json"))
    finish(start(tiny_recipe_file, tmp_path))
    for kind in STAGES:
        for file in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json"):
            assert (node(root, kind) / file).read_bytes() == (
                node(finished_run.parent, kind) / file
            ).read_bytes(), kind
        (here,) = node(root, kind).glob("evals/*")
        (there,) = node(finished_run.parent, kind).glob("evals/*")
        for file in (
            "generations.jsonl",
            "scores.jsonl",
            "verdicts.jsonl",
            "pairs.jsonl",
            "tasks/sums.jsonl",
        ):
            assert (here / file).read_bytes() == (there / file).read_bytes(), (kind, file)
    whole, resumed = read_run(finished_run), read_run(root / "tiny")
    for one, other in zip(whole.stages[1:], resumed.stages[1:], strict=True):
        assert one.training is not None and other.training is not None
        assert (one.training.tokens, one.training.steps) == (
            other.training.tokens,
            other.training.steps,
        )
        assert len(one.training.history) == len(other.training.history)
