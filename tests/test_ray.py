"""`--engine ray` for real: a cluster of two worker nodes on this machine, one of which is killed in
the middle of a training.
"""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from stagelift.harness.workers.artefacts import fetch, send
from tests.processes import finish, in_training, start, wait_for
from tests.shared import copied

# they share a cluster, and Ray is large
pytestmark = pytest.mark.xdist_group("apart")

STAGES = """stages=[
  {sft: {args:
    {max_steps: 12, per_device_train_batch_size: 4, learning_rate: 1e-2, save_steps: 1}}},
  {dpo: {args:
    {max_steps: 6, per_device_train_batch_size: 2, learning_rate: 1e-3, save_steps: 1}}}]"""
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


def start_on(address: str, recipe: Path, folder: Path, *overrides: str) -> subprocess.Popen[str]:
    settings = [part for override in (STAGES, *overrides) for part in ("--set", override)]
    words = ["run", str(recipe), "--engine", "ray", *settings]
    return start(*words, folder=folder, RAY_ADDRESS=address)


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


@pytest.mark.real
def test_interrupted_and_with_a_node_killed_in_training_the_results_are_the_local_ones(
    cluster: Any, finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    first = start_on(cluster.address, tiny_recipe_file, tmp_path)
    wait_for(first, in_training(runs, "sft", 3))
    first.send_signal(signal.SIGINT)
    assert "Interrupted; what was done is kept." in first.communicate(timeout=60)[0]
    assert first.returncode == 130
    assert psutil.wait_procs(workers(), timeout=30)[1] == []
    assert not any(runs.glob("nodes/sft-*/stage.json"))
    second = start_on(cluster.address, tiny_recipe_file, tmp_path)
    wait_for(second, in_training(runs, "dpo", 2))
    kill_the_node_that_trains(cluster)
    output = second.communicate(timeout=400)[0]
    assert second.returncode == 0, output
    # once more on the node that is left
    assert output.count("dpo: starting to train on ") == 2
    assert_same_as_local(finished_run, runs, ("base", "sft", "dpo"))


@pytest.mark.real
def test_machines_that_share_no_folder_pass_files_on_through_a_url(
    cluster: Any, finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """What base is has been done here before: it must be sent to the machine that compares with
    it.
    """
    runs = tmp_path / "runs"
    (base,) = (finished_run.parent / "nodes").glob("base-*")
    copied(base, runs / "nodes" / base.name)
    url = f"ray.artefacts=file://{(tmp_path / 'bucket').as_posix()}"
    process = start_on(cluster.address, tiny_recipe_file, tmp_path, url)
    output = process.communicate(timeout=400)[0]
    assert process.returncode == 0, output
    assert_same_as_local(finished_run, runs, ("base", "sft", "dpo"))
    assert {path.name for path in (tmp_path / "bucket" / "nodes").iterdir()} == {
        path.name for path in (runs / "nodes").iterdir()
    }


@pytest.mark.real
def test_a_failed_job_is_not_done_again(
    cluster: Any, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """A reward that fails in training only is the user's, not a lost machine."""
    (tmp_path / "broken.py").write_text("def reward(**_): raise ValueError('no reward today')\n")
    args = "{max_steps: 1, per_device_train_batch_size: 2, num_generations: 2}"
    grpo = f"stages=[{{grpo: {{rewards: [broken.reward], args: {args}}}}}]"
    process = start_on(cluster.address, tiny_recipe_file, tmp_path, grpo)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "no reward today" in output and output.count("starting to train") == 1


@pytest.mark.real
def test_a_cluster_without_what_a_job_needs_is_refused_in_a_sentence(
    cluster: Any, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    process = start_on(cluster.address, tiny_recipe_file, tmp_path, "ray.num_gpus=1")
    assert_refused(process, "No machine of the Ray cluster has 1 CPUs and 1 GPUs", tmp_path)


def test_without_a_cluster_it_is_refused_in_a_sentence(
    tiny_recipe_file: Path, tmp_path: Path
) -> None:
    process = start_on("127.0.0.1:1", tiny_recipe_file, tmp_path)
    says = "There is no Ray cluster at 'auto'. Start one with `ray start --head`"
    assert_refused(process, says, tmp_path)


def assert_refused(process: subprocess.Popen[str], says: str, folder: Path) -> None:
    output = finish(process)
    assert process.returncode == 2, output
    assert says in output and "Traceback" not in output
    assert not (folder / "runs").exists()


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
