"""Stages that several processes train: started for real, on CPU with gloo, and compared with what
one process makes.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from stagelift.evals.data.source import Source
from stagelift.evals.files import read_record
from stagelift.evals.models.model import ModelRef
from stagelift.evals.strict_json import read_json
from stagelift.harness import preflight
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import LauncherSection
from stagelift.harness.workers.executor import JobFailed
from stagelift.harness.workers.jobs import EVENTS_FILE, TrainJob
from stagelift.harness.workers.launcher import read_launcher
from stagelift.harness.workers.local import run_worker
from stagelift.stages.distributed import check_rows
from stagelift.stages.kinds import kind_named
from stagelift.stages.records import StageResult
from stagelift.stages.settings import StageKind, StageSettings, config_on_paper
from tests.conftest import environment, make_run
from tests.in_process import InProcessExecutor
from tests.processes import finish, in_training, interrupted, kill_all, start
from tests.shared import copied, made_once
from tests.test_run import node

# two processes each: one test at a time, and one local run for all
pytestmark = pytest.mark.xdist_group("apart")
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
# 32 rows in steps of 4: training goes through a whole epoch and begins another
SFT = {
    "max_steps": 12,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1e-2,
}
STAGES = f"""
  - sft: {{args: {SFT | {"save_steps": 1}}}}
  - dpo: {{args: {{max_steps: 6, per_device_train_batch_size: 4, learning_rate: 1e-3}}}}
"""  # sft has two batches to share, dpo the rows of one
TWO = "launcher: {torchrun: {nproc_per_node: 2}}"
ACCELERATE = """
compute_environment: LOCAL_MACHINE
distributed_type: '{kind}'
num_processes: 2
num_machines: 1
machine_rank: 0
use_cpu: true
mixed_precision: {precision}
"""


def recipe_file(folder: Path, model: Path, more: str = "", stages: str = "") -> Path:
    path = folder / "chain.yaml"
    path.write_text(f"""
name: chain
model: {{path: "{model.as_posix()}", dtype: float32}}
lora: {LORA}
data: {{path: bundled/schoolmath, limit: 32}}
stages:
{stages or STAGES}
evals:
  accuracy: {{task: schoolmath, limit: 6, max_tokens: 12, batch_size: 4}}
  preference: {{prompts: {{path: bundled/instructions, limit: 6}}}}
{more}
""")
    return path


@pytest.fixture(scope="session")
def local(shared: Path, tiny_model: Path) -> Path:
    """The runs folder of a chain that a single process trained."""

    def make(folder: Path) -> None:
        make_run(recipe_file(folder, tiny_model), folder)

    return made_once(shared, "local", make) / "runs"


def difference(one: Path, other: Path) -> float:
    """The largest difference between two adapters."""
    first, second = (
        load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (one, other)
    )
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def trained(folder: Path) -> StageResult:
    return read_record(folder / "stage.json", StageResult)


def losses(folder: Path) -> list[Any]:
    return [row["loss"] for row in trained(folder).history]


def processes_of(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "stagelift.harness.launched" in (process.info["cmdline"] or [])
        and str(folder) in str(process.info)
    ]


@pytest.mark.real
def test_two_processes_that_were_killed_and_went_on_make_the_nodes_and_scores_of_one(
    local: Path, tiny_model: Path, tmp_path: Path
) -> None:
    recipe, root, seen = recipe_file(tmp_path, tiny_model, TWO), tmp_path / "runs", []

    def kill(pid: int) -> None:
        seen.extend(processes_of(tmp_path))
        kill_all(pid)

    (base,) = (local / "nodes").glob("base-*")
    # measured once is enough
    copied(base, root / "nodes" / base.name)
    run = start("run", str(recipe), folder=tmp_path)
    interrupted(run, in_training(root, "sft", 2), kill)
    # the command and the two it started
    assert len(seen) == 3
    # none outlives the command that was killed
    assert not psutil.wait_procs(seen, timeout=20)[1]
    assert not (node(root, "sft") / "stage.json").exists()
    output = finish(start("run", str(recipe), folder=tmp_path))
    assert "Open: " in output, output
    assert {one.name for one in (root / "nodes").iterdir()} == {
        one.name for one in (local / "nodes").iterdir()
    }
    for kind in ("sft", "dpo"):
        one, two = node(local, kind), node(root, kind)
        assert (trained(one).processes, trained(two).processes) == (1, 2)
        assert (trained(one).steps, trained(one).tokens) == (
            trained(two).steps,
            trained(two).tokens,
        )
        assert losses(two) == pytest.approx(losses(one), rel=1e-5)
        assert difference(one, two) < 1e-6
        assert not (two / "launch").exists() and not (two / "checkpoints").exists()
    for kind in ("base", "sft", "dpo"):
        (here,), (there,) = node(root, kind).glob("evals/*"), node(local, kind).glob("evals/*")
        assert here.name == there.name
        for file in ("generations.jsonl", "scores.jsonl", "verdicts.jsonl"):
            assert (kind == "base" and file == "verdicts.jsonl") or (here / file).read_bytes() == (
                there / file
            ).read_bytes()
        assert (
            read_json(here / "result.json")["metrics"]
            == read_json(there / "result.json")["metrics"]
        )


def job(
    model: Path, folder: Path, launcher: dict[str, Any], kind: StageKind = "sft", **settings: Any
) -> TrainJob:
    """A stage on the base model; as it stands, the first one of the local run."""
    stage: dict[str, Any] = {
        "args": SFT,
        "dataset": Source(path="bundled/schoolmath", limit=32),
    } | settings
    return TrainJob(
        folder=str(folder),
        settings=StageSettings(kind=kind, **stage),
        parent=ModelRef(path=str(model), dtype="float32", device="cpu"),
        lora=LORA,
        seed=0,
        launcher=LauncherSection.model_validate(launcher),
        versions={},
    )


GRPO = {
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "num_generations": 2,
    "max_completion_length": 8,
}
TORCHRUN = {"torchrun": {"nproc_per_node": 2}}


def accelerate(folder: Path, kind: str, precision: str = "no") -> dict[str, Any]:
    file = folder / "accelerate.yaml"
    file.write_text(ACCELERATE.format(kind=kind, precision=precision))
    return {"accelerate": {"config_file": str(file)}}


@pytest.mark.real
def test_accelerate_launch_starts_two_and_only_the_recipe_says_in_which_precision(
    local: Path, tiny_model: Path, tmp_path: Path
) -> None:
    events: list[dict[str, Any]] = []
    run_worker(
        job(tiny_model, tmp_path / "node", accelerate(tmp_path, "MULTI_GPU", precision="bf16")),
        events.append,
    )
    # one of them says that the loop begins, and then each step
    assert [event["step"] for event in events if event["event"] == "training"] == list(range(13))
    assert trained(tmp_path / "node").processes == 2
    assert difference(node(local, "sft"), tmp_path / "node") < 1e-6


@pytest.mark.real
def test_another_machine_joins_with_the_command_that_is_shown(
    local: Path, tiny_model: Path, tmp_path: Path, free_port: int
) -> None:
    options = {"nnodes": 2, "rdzv_backend": "c10d", "rdzv_endpoint": f"127.0.0.1:{free_port}"}
    others: list[subprocess.Popen[bytes]] = []

    def join(event: dict[str, Any]) -> None:
        if event["event"] == "waiting":
            (command,) = event["commands"]
            assert re.search(
                r"^cd \S+ && STAGELIFT_TRUST=\w+ torchrun --nnodes=2 "
                r".* -m stagelift.harness.launched \S+job.json 2$",
                command,
            )
            found = {**environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            others.append(
                subprocess.Popen(["sh", "-c", command], env=found, stdin=subprocess.DEVNULL)
            )

    run_worker(job(tiny_model, tmp_path / "node", {"torchrun": options}), join)
    assert others[0].wait(timeout=60) == 0
    assert trained(tmp_path / "node").processes == 2
    assert difference(node(local, "sft"), tmp_path / "node") < 1e-6


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.real
def test_kto_that_estimates_no_kl_is_the_training_of_one_process(
    tiny_model: Path, tmp_path: Path
) -> None:
    args = SFT | {"max_steps": 3, "loss_type": "apo_zero_unpaired"}
    shared = job(tiny_model, tmp_path / "shared", TORCHRUN, "kto", args=args)
    alone = shared.model_copy(update={"folder": str(tmp_path / "alone"), "launcher": None})
    for either in (shared, alone):
        run_worker(either, lambda _: None)
    one, two = trained(tmp_path / "alone"), trained(tmp_path / "shared")
    assert (one.processes, two.processes, one.tokens) == (1, 2, two.tokens)
    assert losses(tmp_path / "shared") == pytest.approx(losses(tmp_path / "alone"), rel=1e-5)
    assert difference(tmp_path / "alone", tmp_path / "shared") < 1e-6


@pytest.mark.real
def test_a_failure_in_one_of_the_processes_is_the_jobs(tiny_model: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    rewards = ["brevity", "tests.rewards.fails_later_in_the_second_process"]
    with pytest.raises(JobFailed, match="ZeroDivisionError: only the second process fails"):
        run_worker(
            job(tiny_model, tmp_path / "node", TORCHRUN, "grpo", args=GRPO, rewards=rewards),
            events.append,
        )
    # together they began and made a step
    assert [(event["event"], event.get("step")) for event in events] == [
        ("starting", None),
        ("training", 0),
        ("training", 1),
        ("failed", None),
    ]
    assert not (tmp_path / "node" / "stage.json").exists() and not processes_of(tmp_path)


@pytest.mark.real
def test_another_number_of_processes_than_was_asked_for_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    """As a launcher's file could have it that changed since it was read."""
    alone = job(tiny_model, tmp_path / "node", TORCHRUN).model_dump_json()
    (tmp_path / "job.json").write_text(alone)
    command = [sys.executable, "-m", "stagelift.harness.launched", str(tmp_path / "job.json"), "2"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert (
        done.returncode == 1 and "1 process trained together where 2 were asked for" in done.stderr
    )


def test_a_launched_process_trains_what_a_worker_would_and_writes_down_its_events(
    tiny_model: Path, tmp_path: Path
) -> None:
    """One process, started as a launcher starts each of several."""
    steps = SFT | {"max_steps": 3}
    launched = job(tiny_model, tmp_path / "launched", TORCHRUN, args=steps)
    (tmp_path / "job.json").write_text(launched.model_dump_json())
    command = [sys.executable, "-m", "stagelift.harness.launched", str(tmp_path / "job.json"), "1"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = (tmp_path / EVENTS_FILE).read_text().splitlines()
    # what is there already comes first
    assert [json.loads(event)["step"] for event in events] == [0, 1, 2, 3]
    alone = launched.model_copy(update={"folder": str(tmp_path / "alone"), "launcher": None})
    InProcessExecutor().run(alone, lambda _: None)
    assert difference(tmp_path / "launched", tmp_path / "alone") == 0
    assert losses(tmp_path / "launched") == losses(tmp_path / "alone")


def shared_out(kind: StageKind, args: dict[str, Any], processes: int) -> Any:
    return config_on_paper(kind_named(kind), args, processes)


@pytest.mark.parametrize(
    ("rows", "accumulated", "processes", "each"),
    [(8, 1, 2, (4, 1)), (2, 4, 2, (2, 2)), (2, 6, 4, (1, 3)), (1, 8, 8, (1, 1)), (3, 1, 1, (3, 1))],
)
def test_all_processes_together_take_the_rows_of_one(
    rows: int, accumulated: int, processes: int, each: tuple[int, int]
) -> None:
    args = {"per_device_train_batch_size": rows, "gradient_accumulation_steps": accumulated}
    config = shared_out("sft", args, processes)
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == each


@pytest.mark.parametrize(
    ("rows", "max_steps", "fits"),
    [(32, 100, True), (30, 7, True), (30, 8, True), (31, 7, True), (31, 8, False), (31, -1, False)],
)
def test_an_epoch_must_end_evenly_or_not_at_all(rows: int, max_steps: int, fits: bool) -> None:
    """Two processes take a row each at a time, and a step is four."""
    args = {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 4,
        "max_steps": max_steps,
    }
    config = shared_out("sft", args, 2)
    check_rows(rows, config, 1)
    if fits:
        check_rows(rows, config, 2)
        return
    with pytest.raises(
        ValueError,
        match=r"31 training rows are no multiple of the 2 .* Use 30 rows .* at most 7 steps",
    ):
        check_rows(rows, config, 2)


@pytest.mark.parametrize("more", [{}, {"steps_per_generation": 4}, {"generation_batch_size": 32}])
def test_a_generation_stays_as_large_and_is_saved_at_the_same_steps(more: dict[str, Any]) -> None:
    args = {
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 2,
        "num_generations": 4,
        **more,
    }
    one, each = shared_out("grpo", args, 1), shared_out("grpo", args, 2)
    assert each.generation_batch_size * 2 == one.generation_batch_size
    assert each.gradient_accumulation_steps == 1 and each.save_steps == one.save_steps


@pytest.mark.parametrize(
    ("kind", "args", "says"),
    [
        (
            "sft",
            {"per_device_train_batch_size": 3},
            "3 x gradient_accumulation_steps 1 makes 3 rows, which 2 processes",
        ),
        (
            "sft",
            {"auto_find_batch_size": True},
            "'auto_find_batch_size' cannot be set for a stage with a launcher",
        ),
        ("grpo", {"per_device_train_batch_size": 8}, "no whole group of num_generations 8"),
        ("grpo", {"generation_batch_size": 12}, "generation_batch_size 12 must be a multiple of"),
        (
            "grpo",
            {
                "per_device_train_batch_size": 1,
                "gradient_accumulation_steps": 2,
                "steps_per_generation": 5,
            },
            "steps_per_generation 5 makes 5 rows",
        ),
    ],
)
def test_what_two_processes_cannot_share_is_refused(
    kind: StageKind, args: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        shared_out(kind, args, 2)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("launcher", "says"),
    [
        (
            "{torchrun: {workers: 2}}",
            "torchrun does not take its options: unrecognized arguments: --workers=2",
        ),
        ("{torchrun: {nproc_per_node: gpu}}", "nproc_per_node is 'gpu', it must be a whole number"),
        ("{torchrun: {nnodes: 2}}", "add rdzv_backend: c10d and rdzv_endpoint: HOST:PORT"),
        ("{torchrun: {nnodes: '1:2'}}", "nnodes is '1:2'"),
        ("{accelerate: {num_processes: 2}}", "launcher.accelerate.config_file is None"),
        ("{torchrun: {nproc_per_node: 5}}", "makes 4 rows, which 5 processes cannot share equally"),
        ("{}", "launcher needs torchrun or accelerate"),
    ],
)
def test_a_launcher_that_cannot_work_is_refused_before_anything_starts(
    tiny_model: Path, tmp_path: Path, launcher: str, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        preflight.check_arguments(
            load_recipe(str(recipe_file(tmp_path, tiny_model, f"launcher: {launcher}")), [])
        )
    assert says in str(refused.value)


@pytest.mark.parametrize("kind", ["MULTI_CPU", "FSDP", "NO"])
def test_accelerates_other_ways_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match=f"has distributed_type {kind}; a stage needs MULTI_GPU"):
        read_launcher(LauncherSection.model_validate(accelerate(tmp_path, kind)))


def test_machines_with_accelerate_get_their_rank(tmp_path: Path) -> None:
    options = accelerate(tmp_path, "MULTI_GPU")["accelerate"] | {
        "num_processes": 4,
        "num-machines": 2,
        "main_process_ip": "10.0.0.1",
        "main_process_port": 29501,
    }
    launch = read_launcher(LauncherSection(accelerate=options))
    assert (launch.processes, launch.here) == (4, 2)
    ((*_, rank),) = launch.elsewhere
    assert rank == "--machine_rank=1"


def test_what_starts_a_stage_is_no_part_of_what_it_is(tiny_recipe: Path) -> None:
    plain, launched = (
        make_plan(load_recipe(str(tiny_recipe), overrides))
        for overrides in ([], ["launcher={torchrun: {nproc_per_node: 2}}"])
    )
    assert [node.id for node in plain.nodes] == [node.id for node in launched.nodes]
