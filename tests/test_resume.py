"""Every kind of stage: a training that stopped goes on to the same bytes and the same counts."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import Dtype, ModelRef
from stagelift.evals.records import SmallerBatch
from stagelift.stages.folders import NodeFolder
from stagelift.stages.kinds import KINDS, kind_named
from stagelift.stages.ledger import LoggedStep
from stagelift.stages.records import FixedLogits, StageResult
from stagelift.stages.settings import StageSettings
from stagelift.stages.train import train

STEPS: dict[str, Any] = {
    "max_steps": 5,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "save_steps": 1,
}
COMPLETIONS = {"num_generations": 2, "max_completion_length": 8, "beta": 0.1}


class Stopped(Exception):
    """What ends a training in the middle."""


def trained(
    kind: str,
    model: Path,
    folder: Path,
    stop_at: int | None = None,
    keep_every: int | None = None,
    smaller_batch: SmallerBatch | None = None,
    notes: list[str] | None = None,
    dtype: Dtype = "float32",
    **args: Any,
) -> StageResult:
    def on_step(logged: LoggedStep) -> None:
        if notes is not None:
            notes.extend(logged.notes)
        if logged.step == stop_at:
            raise Stopped

    rewarded = kind_named(kind).rewarded
    settings = StageSettings(
        kind=kind,
        dataset=Source(path="bundled/schoolmath", limit=16),
        args=STEPS | (COMPLETIONS if rewarded else {}) | args,
        rewards=["brevity", "tests.rewards.share_of_letters"] if rewarded else [],
    )
    parent = ModelRef(path=str(model), dtype=dtype, device="cpu")
    lora = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
    return train(
        settings,
        parent,
        lora,
        0,
        folder,
        {},
        on_step,
        keep_every=keep_every,
        smaller_batch=smaller_batch,
    )


def test_every_kind_is_stopped_here() -> None:
    assert {kind.name for kind in KINDS} == {"sft", "dpo", "grpo", "kto", "rloo"}


@pytest.mark.parametrize(
    "kind",
    [
        "kto",
        *(pytest.param(kind, marks=pytest.mark.real) for kind in ("sft", "dpo", "grpo", "rloo")),
    ],
)
def test_a_training_that_stopped_ends_as_if_it_had_not(
    tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    whole = trained(kind, tiny_model, tmp_path / "whole")
    with pytest.raises(Stopped):
        trained(kind, tiny_model, tmp_path / "stopped", stop_at=4)
    left = (tmp_path / "stopped" / "checkpoints").glob("checkpoint-*")
    assert {path.name for path in left} == {"checkpoint-2", "checkpoint-3"}
    resumed = trained(kind, tiny_model, tmp_path / "stopped")
    adapters = [
        tmp_path / name / "adapter/adapter_model.safetensors" for name in ("whole", "stopped")
    ]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()
    assert resumed.tokens == whole.tokens > 0
    assert logged(resumed) == logged(whole)


@pytest.mark.parametrize(
    ("kind", "seldom"),
    [
        ("kto", {"logging_steps": 4}),
        pytest.param("sft", {"logging_steps": 4}, marks=pytest.mark.real),
        pytest.param("rloo", {"logging_steps": 4}, marks=pytest.mark.real),
        pytest.param("sft", {"logging_strategy": "no"}, marks=pytest.mark.real),
        pytest.param("kto", {"logging_strategy": "no"}, marks=pytest.mark.real),
        pytest.param("rloo", {"logging_strategy": "no"}, marks=pytest.mark.real),
    ],
)
def test_tokens_count_however_seldom_is_logged(
    tiny_model: Path, tmp_path: Path, kind: str, seldom: dict[str, Any]
) -> None:
    every_step = trained(kind, tiny_model, tmp_path / "every")
    args = {**seldom, "save_steps": 2}
    with pytest.raises(Stopped):
        trained(kind, tiny_model, tmp_path / "stopped", stop_at=4, **args)
    resumed = trained(kind, tiny_model, tmp_path / "stopped", **args)
    assert [row["step"] for row in resumed.history] == [2, 4, 5]
    assert resumed.tokens == every_step.tokens


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("checkpoints/checkpoint-3/adapter_model.safetensors", "went on from checkpoint-2"),
        ("checkpoints/checkpoint-3/optimizer.pt", "went on from checkpoint-2"),
        ("checkpoints/checkpoint-3/trainer_state.json", "went on from checkpoint-2"),
        ("training.jsonl", "began anew"),
    ],
)
def test_nothing_goes_on_from_a_damaged_checkpoint_or_log(
    tiny_model: Path, tmp_path: Path, file: str, start: str
) -> None:
    whole = trained("sft", tiny_model, tmp_path / "whole")
    with pytest.raises(Stopped):
        trained("sft", tiny_model, tmp_path / "stopped", stop_at=4)
    damaged = tmp_path / "stopped" / file
    content = damaged.read_bytes()
    middle = len(content) // 20
    damaged.write_bytes(content[:middle] + b"\x00" + content[middle + 1 :])
    notes: list[str] = []
    resumed = trained("sft", tiny_model, tmp_path / "stopped", notes=notes)
    assert damaged.name in notes[0] and notes[-1].endswith(f"training {start}.")
    adapters = [
        tmp_path / name / "adapter/adapter_model.safetensors" for name in ("whole", "stopped")
    ]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()
    assert logged(resumed) == logged(whole) and resumed.tokens == whole.tokens


def test_what_was_logged_after_the_last_checkpoint_need_not_be_readable(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        trained("sft", tiny_model, tmp_path, stop_at=4)
    with (tmp_path / "training.jsonl").open("ab") as log:
        log.write(b"\x00{\n")
    notes: list[str] = []
    resumed = trained("sft", tiny_model, tmp_path, notes=notes)
    assert not notes and [row["step"] for row in resumed.history] == [1, 2, 3, 4, 5]


def logged(result: StageResult) -> list[dict[str, Any]]:
    """All that was logged but times."""
    return [{name: row[name] for name in row.keys() - {"step_time"}} for row in result.history]


def test_a_training_that_stopped_twice_counts_its_tokens_once(
    tiny_model: Path, tmp_path: Path
) -> None:
    whole = trained("sft", tiny_model, tmp_path / "whole")
    for stop_at in (3, 4):
        with pytest.raises(Stopped):
            trained("sft", tiny_model, tmp_path / "stopped", stop_at=stop_at)
    stopped = trained("sft", tiny_model, tmp_path / "stopped")
    counts = [row["num_tokens"] for row in whole.history]
    assert counts == sorted(counts) and counts[-1] == whole.tokens
    assert [row["num_tokens"] for row in stopped.history] == counts


def test_what_an_earlier_try_left_says_nothing_of_this_one(
    tiny_model: Path, tmp_path: Path
) -> None:
    left = FixedLogits(dtype="float32", tokens=[5, 6, 7], values=[1.0, 2.0])
    place = NodeFolder(tmp_path)
    place.write_logits(left)
    trained("sft", tiny_model, tmp_path)
    assert place.read_logits() != left


def test_the_last_adapter_is_kept_anew_where_an_earlier_try_kept_one(
    tiny_model: Path, tmp_path: Path
) -> None:
    result = trained("sft", tiny_model, tmp_path, keep_every=3)
    kept = NodeFolder(tmp_path).kept(result.steps)
    weights = kept.adapter / "adapter_model.safetensors"
    last = weights.read_bytes()
    weights.write_bytes(NodeFolder(tmp_path).kept(3).adapter.joinpath(weights.name).read_bytes())
    assert weights.read_bytes() != last and result.steps % 3
    trained("sft", tiny_model, tmp_path, keep_every=3)
    assert weights.read_bytes() == last
