"""Memory that runs out for real: a worker may hold no more than a limit, and torch's allocator says
no. The job is done once again with half as much at once.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import ModelRef
from stagelift.evals.records import SmallerBatch
from stagelift.harness.workers.executor import JobFailed
from stagelift.harness.workers.jobs import TrainJob
from stagelift.harness.workers.local import run_worker
from stagelift.harness.workers.out_of_memory import leave_smaller_batch
from stagelift.stages.folders import NodeFolder
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import StageSettings, config_on_paper, training_config
from stagelift.stages.smaller_batch import in_parts, smaller_batch
from tests.test_resume import trained

ROWS_AT_ONCE = 32
# more than half of a step on long rows takes, and less than all of it
ROOM_MEGABYTES = 200


class Limited:
    """Starts workers that may hold a little more than the first held after two steps."""

    def __init__(self, job: TrainJob, megabytes: int) -> None:
        self.job, self.more = job, megabytes << 20
        self.limit: int | None = None
        self.process: psutil.Process | None = None
        self.events: list[dict[str, Any]] = []
        self.strike: Callable[[dict[str, Any]], bool] = lambda _: False

    def run(self) -> None:
        run_worker(self.job, self._see, None, self._started)

    def _started(self, process: "Popen[str]") -> None:
        self.process = psutil.Process(process.pid)
        self._apply()

    def _see(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        assert self.process is not None
        if self.limit is None and event.get("step") == 2:
            self.limit = held(self.process) + self.more
            self._apply()
        if self.strike(event):
            self.process.kill()

    def _apply(self) -> None:
        if self.limit is not None and self.process is not None:
            self.process.rlimit(psutil.RLIMIT_DATA, (self.limit, self.limit))

    def steps(self) -> list[int]:
        return [event["step"] for event in self.events if event["event"] == "training"]


def held(process: psutil.Process) -> int:
    """Return what counts for RLIMIT_DATA, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024


def long_rows_come_late(folder: Path) -> Path:
    """Write rows of which two steps take short ones, and the others long ones."""
    texts = ["7"] * (2 * ROWS_AT_ONCE) + ["1 + 2 = 3, and " * 60] * (2 * ROWS_AT_ONCE)
    file = folder / "rows.jsonl"
    rows = ({"prompt": "What is 3 + 4?", "completion": text} for text in texts)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def job_of(model: Path, folder: Path, **args: Any) -> TrainJob:
    settings = StageSettings(
        kind="sft",
        dataset=Source(path=str(long_rows_come_late(folder))),
        args={
            "max_steps": 4,
            "per_device_train_batch_size": ROWS_AT_ONCE,
            "learning_rate": 1e-2,
            "save_steps": 1,
            "train_sampling_strategy": "sequential",
        }
        | args,
    )
    return TrainJob(
        folder=str(folder / "node"),
        settings=settings,
        parent=ModelRef(path=str(model), dtype="float32", device="cpu"),
        lora={"r": 4, "target_modules": ["q_proj", "v_proj"]},
        seed=0,
        versions={},
    )


@pytest.fixture(scope="module")
def wide_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose activations take memory that can be told from noise."""
    return make_wide_model(tiny_model, tmp_path_factory.mktemp("wide"))


def make_wide_model(tiny: Path, folder: Path) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.copytree(tiny, folder, dirs_exist_ok=True)
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4}
    config = LlamaConfig.from_pretrained(tiny, **sizes, head_dim=64, num_attention_heads=4)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.real
@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_DATA"), reason="limits of memory are Linux's")
def test_a_training_that_runs_out_of_memory_goes_on_with_half_the_batch(
    wide_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "limited").mkdir()
    (tmp_path / "unlimited").mkdir()
    limited = Limited(job_of(wide_model, tmp_path / "limited"), ROOM_MEGABYTES)
    limited.strike = lambda event: event.get("step") == 3
    with pytest.raises(JobFailed, match=r"SIGKILL.*held at most"):
        limited.run()
    (smaller,) = [event for event in limited.events if event["event"] == "smaller"]
    assert smaller["batch"]["rows"] == ROWS_AT_ONCE and smaller["batch"]["parts"] == 2
    assert "allocate" in smaller["batch"]["why"]
    # a kill in the second try: the third goes on as it did
    limited.strike = lambda _: False
    limited.run()
    # each process says first what is trained already
    assert limited.steps() == [0, 1, 2, 2, 3, 2, 3, 4]
    assert sum(event["event"] == "smaller" for event in limited.events) == 1

    unlimited = job_of(wide_model, tmp_path / "unlimited")
    run_worker(unlimited, lambda _: None)
    whole, halved = NodeFolder(Path(unlimited.folder)), NodeFolder(Path(limited.job.folder))
    assert whole.read_result().smaller_batch is None
    assert "smaller_batch" not in (whole.path / "stage.json").read_text()
    assert halved.read_result().smaller_batch == SmallerBatch.model_validate(smaller["batch"])
    assert halved.read_result().tokens == whole.read_result().tokens
    assert not halved.checkpoints.exists()
    assert apart(whole, halved) < 1e-5


@pytest.mark.real
@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_DATA"), reason="limits of memory are Linux's")
def test_a_training_that_half_the_batch_does_not_fit_either_says_what_takes_less(
    wide_model: Path, tmp_path: Path
) -> None:
    limited = Limited(job_of(wide_model, tmp_path), ROOM_MEGABYTES // 3)
    with pytest.raises(JobFailed) as failed:
        limited.run()
    said = str(failed.value)
    assert "stage 'sft': memory ran out (" in said
    assert f"args.per_device_train_batch_size ({ROWS_AT_ONCE})" in said
    assert "args.gradient_checkpointing: true and model.quantization: 4bit" in said
    assert (
        f"It ran out with {ROWS_AT_ONCE} at once before, and now with {ROWS_AT_ONCE // 2}" in said
    )


def apart(first: NodeFolder, second: NodeFolder) -> float:
    """Return how far the weights of two adapters are apart at most."""
    weights = [load_file(node.adapter / "adapter_model.safetensors") for node in (first, second)]
    assert weights[0].keys() == weights[1].keys()
    return max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])


@pytest.mark.parametrize(
    "kind",
    ["grpo", *(pytest.param(kind, marks=pytest.mark.real) for kind in ("sft", "dpo", "rloo"))],
)
def test_a_batch_in_parts_is_the_same_training_but_for_digits(
    tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    batch = SmallerBatch(rows=4, parts=2, why="")
    trained(kind, tiny_model, tmp_path / "whole", max_steps=2)
    halved = trained(kind, tiny_model, tmp_path / "halved", max_steps=2, smaller_batch=batch)
    assert halved.smaller_batch == batch
    assert apart(NodeFolder(tmp_path / "whole"), NodeFolder(tmp_path / "halved")) < 1e-5


def test_a_batch_in_parts_is_as_many_rows_a_step() -> None:
    usual = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    assert in_parts({"beta": 0.1}, usual, 1) == {"beta": 0.1}
    assert in_parts({"beta": 0.1}, usual, 2) == {
        "beta": 0.1,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
    }
    given = {
        "per_device_train_batch_size": 9,
        "gradient_accumulation_steps": 2,
        "steps_per_generation": 4,
    }
    assert in_parts(given, usual, 3) == {
        "per_device_train_batch_size": 3,
        "gradient_accumulation_steps": 6,
        "steps_per_generation": 12,
    }


GROUPS = {"num_generations": 6, "max_completion_length": 8, "per_device_train_batch_size": 6}


@pytest.mark.parametrize(
    "args",
    [
        GROUPS,
        GROUPS | {"generation_batch_size": 12, "gradient_accumulation_steps": 2},
        GROUPS | {"steps_per_generation": 2},
    ],
)
@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_a_generation_stays_as_large_and_of_whole_groups(kind: str, args: dict[str, Any]) -> None:
    whole, halved = (
        training_config(kind_named(kind), args, Path("unused"), 0, "cpu", "float32", parts=parts)
        for parts in (1, 2)
    )
    assert halved.generation_batch_size == whole.generation_batch_size
    assert halved.generation_batch_size % halved.num_generations == 0
    assert (halved.per_device_train_batch_size, whole.per_device_train_batch_size) == (3, 6)
    assert halved.gradient_accumulation_steps == 2 * whole.gradient_accumulation_steps
    assert halved.steps_per_generation == 2 * whole.steps_per_generation


def test_several_processes_each_take_half_of_their_share() -> None:
    args = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    config = training_config(
        kind_named("sft"), args, Path("unused"), 0, "cpu", "float32", processes=2, parts=2
    )
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (2, 2)


@pytest.mark.parametrize(
    ("kind", "args", "says"),
    [
        ("sft", {"per_device_train_batch_size": 1}, "as small as a batch can be"),
        ("kto", {}, "KTO estimates KL"),
        ("dpo", {"loss_type": ["sigmoid", "bco_pair"]}, "the loss bco_pair"),
        ("grpo", {"loss_type": "bnpo"}, "bnpo is a mean over the tokens of a batch"),
        ("grpo", {"top_entropy_quantile": 0.2}, "top_entropy_quantile"),
    ],
)
def test_what_would_be_another_training_is_not_tried(
    kind: str, args: dict[str, Any], says: str
) -> None:
    method = kind_named(kind)
    with pytest.raises(ValueError, match=says):
        smaller_batch(method, config_on_paper(method, args), "")


@pytest.mark.parametrize(
    ("kind", "rows", "parts"), [("sft", 8, 2), ("dpo", 9, 3), ("rloo", 2, 2), ("sft", 7, 7)]
)
def test_a_batch_is_halved_or_divided_by_what_divides_it(kind: str, rows: int, parts: int) -> None:
    method = kind_named(kind)
    args: dict[str, Any] = {"per_device_train_batch_size": rows}
    if method.rewarded:
        args["num_generations"] = 2
    batch = smaller_batch(method, config_on_paper(method, args), "no more")
    assert batch == SmallerBatch(rows=rows, parts=parts, why="no more")


def test_a_second_try_is_the_last(tmp_path: Path) -> None:
    job = job_of(tmp_path / "model", tmp_path)
    Path(job.folder).mkdir()
    batch = leave_smaller_batch(job, "CUDA out of memory.")
    assert batch == NodeFolder(Path(job.folder)).read_smaller_batch()
    with pytest.raises(ValueError, match="with 32 at once before, and now with 16"):
        leave_smaller_batch(job, "CUDA out of memory.")
