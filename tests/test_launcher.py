"""One stage in several processes, for real: torchrun and accelerate with two CPU processes (gloo), and two machines' agents."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from evals.model import ModelRef
from harness.errors import UsageError
from harness.launcher import LaunchError, launch, launch_command, world_size
from harness.preflight import check_arguments
from harness.recipe import load_recipe
from harness.sections import LauncherSection
from harness.worker import TrainJob
from stages.records import StageResult
from stages.settings import StageSettings, shared_batch
from tests.conftest import environment

pytestmark = pytest.mark.xdist_group("apart")  # they are compared with a finished run

TWO = LauncherSection(torchrun={"nproc_per_node": 2})
STAGES = """stages=[
  {sft: {args: {max_steps: 12, per_device_train_batch_size: 4, learning_rate: 1e-2, save_steps: 1}}},
  {dpo: {args: {max_steps: 6, per_device_train_batch_size: 2, learning_rate: 1e-3, save_steps: 1}}}]"""


def start(recipe: Path, folder: Path) -> subprocess.Popen[str]:
    overrides = ["--set", STAGES, "--set", "launcher={torchrun: {nproc_per_node: 2}}"]
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "run", str(recipe), *overrides],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_in_training(process: subprocess.Popen[str], root: Path) -> list[psutil.Process]:
    """SIGKILL the conductor as soon as three steps are stored, and return all processes that were below it."""
    deadline = time.monotonic() + 240
    while not any(root.glob("nodes/sft-*/checkpoints/checkpoint-3/complete")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    below = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return below


def test_two_processes_killed_and_resumed_train_what_one_process_trains(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """Same node ids, steps, tokens, responses and scores; weights differ by float32's rounding."""
    below = kill_in_training(start(tiny_recipe_file, tmp_path), tmp_path / "runs")
    assert len(below) >= 4  # worker, torchrun, two processes
    assert psutil.wait_procs(below, timeout=30)[1] == []  # none is left behind
    output, _ = start(tiny_recipe_file, tmp_path).communicate(timeout=300)
    assert "starting several processes" in output
    for kind in ("sft", "dpo"):
        (alone,) = (finished_run.parent / "nodes").glob(f"{kind}-*")
        shared = tmp_path / "runs" / "nodes" / alone.name
        one, two = (StageResult.model_validate_json((node / "stage.json").read_text()) for node in (alone, shared))
        assert (one.processes, two.processes) == (1, 2)
        assert (one.steps, one.tokens, one.trainable_parameters) == (two.steps, two.tokens, two.trainable_parameters)
        assert len(one.history) == len(two.history)
        before, after = (load_file(node / "adapter" / "adapter_model.safetensors") for node in (alone, shared))
        assert max(float((before[name] - after[name]).abs().max()) for name in before) < 1e-5
        (here,), (there,) = alone.glob("evals/*"), shared.glob("evals/*")
        for file in ("generations.jsonl", "scores.jsonl", "verdicts.jsonl"):
            assert (here / file).read_bytes() == (there / file).read_bytes(), (kind, file)
        assert not any(shared.glob("launch*"))


def job(model: Path, folder: Path, launcher: LauncherSection, **args: Any) -> TrainJob:
    settings = {
        "kind": "sft",
        "dataset": {"path": "bundled/schoolmath", "limit": 64},
        "args": {"max_steps": 2, "per_device_train_batch_size": 2, **args},
    }
    return TrainJob(
        folder=str(folder),
        settings=StageSettings.model_validate(settings),
        parent=ModelRef(path=str(model), dtype="float32", device="cpu"),
        lora={"r": 2, "target_modules": ["q_proj"]},
        seed=0,
        launcher=launcher,
        versions={},
    )


def accelerate_config(folder: Path, kind: str, **more: Any) -> LauncherSection:
    path = folder / "accelerate.json"  # which is YAML
    content = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": kind,
        "num_machines": 1,
        "num_processes": 2,
        "machine_rank": 0,
        "mixed_precision": "no",
        "use_cpu": kind == "MULTI_CPU",
    }
    path.write_text(json.dumps(content | more))
    path = path.rename(path.with_suffix(".yaml"))
    return LauncherSection(accelerate={"config_file": str(path), "main_process_port": free_port()})


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_accelerate_starts_what_its_config_says(tiny_model: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    launch(job(tiny_model, tmp_path, accelerate_config(tmp_path, "MULTI_GPU")), events.append)
    result = StageResult.model_validate_json((tmp_path / "stage.json").read_text())
    assert (result.processes, result.steps) == (2, 2)
    assert [event.get("step") for event in events] == [None, 1, 2]
    assert events[0] == {"event": "launching", "command": None}


def test_a_world_smaller_than_asked_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"2 processes were asked for and there is a world of 1\. .* use torchrun"):
        launch(job(tiny_model, tmp_path, accelerate_config(tmp_path, "MULTI_CPU")), lambda _: None)
    assert not (tmp_path / "stage.json").exists()


def test_two_machines_train_one_stage_when_the_shown_command_is_run_on_the_second(
    tiny_model: Path, tmp_path: Path
) -> None:
    """Two agents of torchrun with one process each meet at an address on loopback."""
    endpoint = f"127.0.0.1:{free_port()}"
    launcher = LauncherSection(
        torchrun={"nnodes": 2, "nproc_per_node": 1, "rdzv_backend": "c10d", "rdzv_endpoint": endpoint, "rdzv_id": "one"}
    )
    others: list[subprocess.Popen[bytes]] = []

    def start_the_other(event: dict[str, Any]) -> None:
        if event["event"] == "launching":
            command = shlex.split(event["command"])
            others.append(
                subprocess.Popen([sys.executable, *command[1:]], env=environment() | {"ACCELERATE_USE_CPU": "true"})
            )

    launch(job(tiny_model, tmp_path, launcher), start_the_other)
    assert others[0].wait(60) == 0
    assert StageResult.model_validate_json((tmp_path / "stage.json").read_text()).processes == 2


def test_a_failure_in_any_process_is_said_in_its_words(tiny_model: Path, tmp_path: Path) -> None:
    wrong = job(tiny_model, tmp_path, TWO).model_copy(update={"lora": {"target_modules": ["no_such_module"]}})
    with pytest.raises(LaunchError, match=r"NoMatchingPeftModuleError: .*no_such_module"):
        launch(wrong, lambda _: None)


@pytest.mark.parametrize(
    ("args", "shared"),
    [
        ({"gradient_accumulation_steps": 4, "per_device_train_batch_size": 3}, {"gradient_accumulation_steps": 2}),
        ({"gradient_accumulation_steps": 3, "per_device_train_batch_size": 4}, {"per_device_train_batch_size": 2}),
        ({}, {"per_device_train_batch_size": 4}),  # TRL's default is 8
    ],
)
def test_processes_share_the_batch_of_one(args: dict[str, int], shared: dict[str, int]) -> None:
    assert shared_batch("sft", args, 2) == {**args, **shared}
    assert shared_batch("sft", args, 1) == args


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_starts() -> None:
    overrides = ["launcher={torchrun: {nproc_per_node: 3}}", "stages=[{sft: {args: {per_device_train_batch_size: 4}}}]"]
    with pytest.raises(UsageError, match=r"cannot be shared by 3 processes: neither gradient_accumulation_steps \(1\)"):
        check_arguments(load_recipe("quickstart", overrides))


@pytest.mark.parametrize(
    ("launcher", "processes"),
    [
        ({"torchrun": {"nproc_per_node": 2}}, 2),
        ({"torchrun": {"nproc_per_node": 4, "nnodes": 2}}, 8),
        ({"torchrun": {"nproc_per_node": "auto"}}, None),
        ({"torchrun": {"nnodes": "1:4"}}, None),
        ({"accelerate": {"num_processes": 2}}, 2),
    ],
)
def test_the_number_of_processes_is_known_where_it_is_written(launcher: dict[str, Any], processes: int | None) -> None:
    assert world_size(LauncherSection.model_validate(launcher)) == processes


def test_a_config_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"config_file is 'no\.yaml', which is no file"):
        world_size(LauncherSection(accelerate={"config_file": "no.yaml"}))


def test_options_are_the_launchers_own(tmp_path: Path) -> None:
    command = launch_command(LauncherSection(torchrun={"nproc_per_node": 2, "master_port": 29501}), tmp_path / "job")
    assert command[1:] == [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node=2",
        "--master_port=29501",
        "-m",
        "harness.launched",
        str(tmp_path / "job"),
    ]
