"""Whole runs on the tiny model, through the command: what is stored, what a kill leaves, what a
re-run does.
"""

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from stagelift.evals.folders import NOT_REPRODUCIBLE
from stagelift.evals.strict_json import read_json
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import train_job
from stagelift.harness.workers.executor import JobFailed
from stagelift.harness.workers.local import run_worker
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from stagelift.stages.records import StageResult
from tests.in_process import InProcessExecutor, run_recipe
from tests.processes import (
    finish,
    in_evaluation,
    in_training,
    interrupted,
    kill_all,
    kill_worker,
    press_ctrl_c,
    start,
    wait_for,
)
from tests.shared import copied

STAGES = ("sft", "dpo", "grpo")
GRPO = """stages=[{{grpo: {{rewards: [tests.rewards.{reward}], args: {{max_steps: 5,
  per_device_train_batch_size: 2, num_generations: 2, max_completion_length: 4,
  save_steps: 1}}}}}}]"""


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
        assert stage.evaluation.metrics["sums/acc"].n == len(stage.stored_values["sums/acc"]) == 6
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
            None,
            1,
        )
    report = build_report([record])
    whole = report.runs[0].passport
    assert whole is not None and whole.pairs == sum(
        s.evaluation.passport.pairs for s in trained_stages if s.evaluation.passport
    )
    compared = {(c.metric, c.stage, c.against) for c in report.comparisons()}
    assert {("sums/acc", "dpo", "sft"), ("preference_accuracy", "grpo", "base")} <= compared


def test_responses_are_timed_batch_by_batch_and_compared(record: RunRecord) -> None:
    """16 problems, 8 at once; a stage's time stands beside result.json, not in it."""
    for stage in record.stages:
        timed = stage.evaluation.metrics["seconds_per_response"]
        assert timed.n == len(stage.stored_values["seconds_per_response"]) == 2
        assert 0 < timed.value < 60
    compared = {
        (found.stage, found.against): found.n
        for found in build_report([record]).comparisons()
        if found.metric == "seconds_per_response"
    }
    assert compared["sft", "base"] == compared["grpo", "base"] == compared["dpo", "sft"] == 2


def test_what_says_how_long_it_took_is_declared_and_nothing_else_does(finished_run: Path) -> None:
    (folder,) = node(finished_run.parent, "sft").glob("evals/*")
    texts = {
        file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()
    }
    assert {name for name, text in texts.items() if '"seconds"' in text} == {*NOT_REPRODUCIBLE}
    assert "seconds_per_response" not in texts["result.json"]


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
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    root = copied(finished_run.parent, tmp_path / "runs")
    before = tree(root)
    done = run_recipe(load_recipe(str(tiny_recipe_file), []), root)
    assert [event["event"] for _, event in done.events] == ["finished"] * 4
    assert tree(root) == before


def test_a_training_whose_process_is_killed_goes_on_and_ends_with_the_same_bytes(
    tiny_recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(str(tiny_recipe_file), [GRPO.format(reward="killed_once")])
    stage = make_plan(recipe).nodes[1]
    resumed, whole = (train_job(stage, Store(tmp_path / name)) for name in ("resumed", "whole"))
    with pytest.raises(JobFailed, match="SIGKILL"):
        run_worker(resumed, lambda _: None)
    assert not Path(resumed.folder, "stage.json").exists()
    events: list[dict[str, object]] = []
    run_worker(resumed, events.append)
    assert [event.get("step") for event in events] == [None, 2, 3, 4, 5]
    InProcessExecutor().run(whole, lambda _: None)
    one, other = (
        Path(job.folder, "adapter", "adapter_model.safetensors") for job in (resumed, whole)
    )
    assert one.read_bytes() == other.read_bytes()
    first, second = (read_json(Path(job.folder, "stage.json")) for job in (resumed, whole))
    assert (first["steps"], first["tokens"]) == (second["steps"], second["tokens"])


def test_a_run_that_is_interrupted_says_how_to_go_on_and_leaves_nothing_running(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    run = in_endless_training(finished_run, tiny_recipe_file, tmp_path)
    assert_it_ends_cleanly(run, signal.SIGINT, tmp_path)


@pytest.mark.real
def test_a_run_in_the_background_ignores_ctrl_c_and_is_ended_cleanly_by_kill(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    run = in_endless_training(finished_run, tiny_recipe_file, tmp_path, ignores_ctrl_c=True)
    # it goes on, or the next signal would not be what ends it
    run.send_signal(signal.SIGINT)
    assert_it_ends_cleanly(run, signal.SIGTERM, tmp_path)


def assert_it_ends_cleanly(run: subprocess.Popen[str], by: signal.Signals, folder: Path) -> None:
    worker = psutil.Process(int((folder / "waiting").read_text()))
    run.send_signal(by)
    assert "Interrupted; what was done is kept." in finish(run)
    assert run.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[by]
    assert psutil.wait_procs([worker], timeout=30)[1] == []
    assert read_json(folder / "runs" / "endless" / "run.json")["finished"] is False


def in_endless_training(
    finished_run: Path, recipe: Path, folder: Path, *, ignores_ctrl_c: bool = False
) -> subprocess.Popen[str]:
    """Start a run whose one training never ends, and wait until it has begun."""
    (base,) = (finished_run.parent / "nodes").glob("base-*")
    copied(base, folder / "runs" / "nodes" / base.name)
    words = ["run", str(recipe), "--name", "endless", "--set", GRPO.format(reward="never_done")]
    process = start(*words, folder=folder, ignores_ctrl_c=ignores_ctrl_c)
    wait_for(process, lambda: (folder / "waiting").exists())
    return process


@pytest.mark.real
def test_killed_at_any_moment_a_run_ends_with_the_same_bytes(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    root = tmp_path / "runs"

    def run() -> subprocess.Popen[str]:
        return start("run", str(tiny_recipe_file), folder=tmp_path)

    interrupted(run(), in_training(root, "sft", 3), kill_all)
    # it really was killed in the middle
    assert not (node(root, "sft") / "stage.json").exists()
    output = interrupted(run(), in_training(root, "dpo", 2), kill_worker)
    assert "(SIGKILL)" in output and "Go on with: stagelift run" in output
    assert not (node(root, "dpo") / "stage.json").exists()
    output = interrupted(run(), in_training(root, "grpo", 2), press_ctrl_c)
    assert "Interrupted" in output and "Go on with: stagelift run" in output
    assert not (node(root, "grpo") / "stage.json").exists()
    interrupted(run(), in_evaluation(root, "grpo"), kill_all)
    assert not any(node(root, "grpo").glob("evals/*/result.json"))
    finish(run())
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
    for kind in STAGES:
        one, other = trained(whole, kind), trained(resumed, kind)
        assert (one.tokens, one.steps) == (other.tokens, other.steps)
        assert len(one.history) == len(other.history)
