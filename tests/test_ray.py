"""`--engine ray` for real: a cluster of two worker nodes on this machine, one of which is killed in
the middle of a training.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from stagelift.harness.workers.artefacts import fetch, send
from tests.conftest import environment

# they share a finished run of their own, and Ray is large
pytestmark = pytest.mark.xdist_group("apart")

STAGES = """stages=[
  {sft: {args: {max_steps: 12, per_device_train_batch_size: 4, learning_rate: 1e-2, save_steps: 1}}},
  {dpo: {args: {max_steps: 6, per_device_train_batch_size: 2, learning_rate: 1e-3, save_steps: 1}}}]"""
STORED = ("generations.jsonl", "scores.jsonl", "verdicts.jsonl", "pairs.jsonl")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that does no work and two nodes with one CPU each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def start(recipe: Path, folder: Path, address: str, *overrides: str) -> subprocess.Popen[str]:
    settings = [part for one in (STAGES, *overrides) for part in ("--set", one)]
    return subprocess.Popen(
        [sys.executable, "-m", "stagelift", "run", str(recipe), "--engine", "ray", *settings],
        cwd=folder,
        env=environment() | {"RAY_ADDRESS": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(process.communicate()[0])
        time.sleep(0.01)


def workers() -> list[psutil.Process]:
    """Return the worker processes that Ray's tasks have started on this machine."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        is_worker = (process.info["cmdline"] or [])[-1:] == ["stagelift.harness.worker"]
        if is_worker and any("raylet" in parent.name() for parent in process.parents()):
            found.append(process)
    return found


def kill_the_node_that_trains(cluster: Any) -> None:
    """Kill the processes of the Ray node below whose raylet a stage is trained; the other one may
    be evaluating.
    """
    trains = [
        worker
        for worker in workers()
        if any(file.path.endswith("/train.log") for file in worker.open_files())
    ]
    raylets = {parent.pid for worker in trains for parent in worker.parents()}
    for node in list(cluster.worker_nodes):
        if node.all_processes["raylet"][0].process.pid in raylets:
            cluster.remove_node(node, allow_graceful=False)
            return
    pytest.fail("no node was training")


def assert_same_as_local(finished_run: Path, root: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        (local,) = (finished_run.parent / "nodes").glob(f"{kind}-*")
        # the same node id
        remote = root / "nodes" / local.name
        (here,), (there,) = local.glob("evals/*"), remote.glob("evals/*")
        files = [(here / name, there / name) for name in STORED]
        if kind != "base":
            files += [(node / "adapter" / "adapter_model.safetensors" for node in (local, remote))]
        for one, other in files:
            assert one.read_bytes() == other.read_bytes(), (kind, one.name)


def test_interrupted_and_with_a_node_killed_in_training_the_results_are_the_local_ones(
    cluster: Any, finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    first = start(tiny_recipe_file, tmp_path, cluster.address)
    wait_for(first, lambda: any(runs.glob("nodes/sft-*/checkpoints/checkpoint-3/complete")))
    first.send_signal(signal.SIGINT)
    assert "Interrupted; what was done is kept." in first.communicate(timeout=60)[0]
    assert first.returncode == 130
    assert psutil.wait_procs(workers(), timeout=30)[1] == []
    assert not any(runs.glob("nodes/sft-*/stage.json"))
    second = start(tiny_recipe_file, tmp_path, cluster.address)
    wait_for(second, lambda: any(runs.glob("nodes/dpo-*/checkpoints/checkpoint-2/complete")))
    kill_the_node_that_trains(cluster)
    output = second.communicate(timeout=400)[0]
    assert second.returncode == 0, output
    # once more on the node that is left
    assert output.count("dpo: starting to train on ") == 2
    assert_same_as_local(finished_run, runs, ("base", "sft", "dpo"))


def test_machines_that_share_no_folder_pass_files_on_through_a_url(
    cluster: Any, finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """What base is has been done here before: it must be sent to the machine that compares with
    it.
    """
    runs = tmp_path / "runs"
    (base,) = (finished_run.parent / "nodes").glob("base-*")
    shutil.copytree(base, runs / "nodes" / base.name)
    url = f"ray.artefacts=file://{(tmp_path / 'bucket').as_posix()}"
    process = start(tiny_recipe_file, tmp_path, cluster.address, url)
    output = process.communicate(timeout=400)[0]
    assert process.returncode == 0, output
    assert_same_as_local(finished_run, runs, ("base", "sft", "dpo"))
    assert {path.name for path in (tmp_path / "bucket" / "nodes").iterdir()} == {
        path.name for path in (runs / "nodes").iterdir()
    }


def test_a_failed_job_is_not_done_again(
    cluster: Any, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """A reward that fails in training only is the user's, not a lost machine."""
    (tmp_path / "broken.py").write_text("def reward(**_): raise ValueError('no reward today')\n")
    grpo = "stages=[{grpo: {rewards: [broken.reward], args: {max_steps: 1, per_device_train_batch_size: 2, num_generations: 2}}}]"
    process = start(tiny_recipe_file, tmp_path, cluster.address, grpo)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "no reward today" in output and output.count("starting to train") == 1


@pytest.mark.parametrize(
    ("overrides", "address", "says"),
    [
        ([], "127.0.0.1:1", "There is no Ray cluster at 'auto'. Start one with `ray start --head`"),
        (["ray.num_gpus=1"], None, "No machine of the Ray cluster has 1 CPUs and 1 GPUs"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(
    cluster: Any,
    tiny_recipe_file: Path,
    tmp_path: Path,
    overrides: list[str],
    address: str | None,
    says: str,
) -> None:
    process = start(tiny_recipe_file, tmp_path, address or cluster.address, *overrides)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 2, output
    assert says in output and "Traceback" not in output
    assert not (tmp_path / "runs").exists()


def test_files_are_passed_on_once_and_what_is_being_made_is_not(tmp_path: Path) -> None:
    here, there, url = (
        tmp_path / "here",
        tmp_path / "there",
        f"file://{(tmp_path / 'bucket').as_posix()}",
    )
    node = here / "nodes" / "sft-1"
    for name in (
        "stage.json",
        "adapter/adapter_model.safetensors",
        "checkpoints/checkpoint-1/complete",
        ".lock",
    ):
        (node / name).parent.mkdir(parents=True, exist_ok=True)
        (node / name).write_text(name)
    send(url, here, ["nodes/sft-1"])
    fetch(url, there, ["nodes/sft-1", "nodes/never-made"])
    found = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert found == {"nodes/sft-1/stage.json", "nodes/sft-1/adapter/adapter_model.safetensors"}
    before = (there / "nodes/sft-1/stage.json").stat().st_mtime_ns
    fetch(url, there, ["nodes/sft-1"])
    assert (there / "nodes/sft-1/stage.json").stat().st_mtime_ns == before
