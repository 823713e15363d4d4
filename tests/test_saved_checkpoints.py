"""Folders of checkpoints as trainers leave them: in order of steps, without what is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from stagelift.stages.saved_checkpoints import base_of_adapters, saved_checkpoints


def save(
    folder: Path, name: str, *, adapter: bool = True, state: object = None, base: str = "tiny"
) -> Path:
    """A checkpoint with a few weights."""
    path = folder / name
    path.mkdir(parents=True)
    weights = "adapter_model.safetensors" if adapter else "model.safetensors"
    save_file({"w": np.ones(64, dtype=np.float32)}, path / weights)
    if adapter:
        settings = {"peft_type": "LORA", "base_model_name_or_path": base}
        (path / "adapter_config.json").write_text(json.dumps(settings))
    else:
        (path / "config.json").write_text('{"model_type": "llama"}')
    if state is not None:
        (path / "trainer_state.json").write_text(json.dumps(state))
    return path


def test_checkpoints_come_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step in (1000, 90, 200):
        save(tmp_path, f"checkpoint-{step}", state={"global_step": step})
    (tmp_path / "runs").mkdir()
    (tmp_path / "checkpoint-300").write_text("no folder")
    (tmp_path / "checkpoint-best").mkdir()
    found = saved_checkpoints(tmp_path)
    assert [checkpoint.step for checkpoint in found.whole] == [90, 200, 1000]
    assert all(checkpoint.is_adapter for checkpoint in found.whole)
    assert found.left_out == {}
    assert base_of_adapters(found) == "tiny"


def test_whole_weights_may_lie_in_shards(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        path = save(tmp_path, f"checkpoint-{step}", adapter=False)
        (path / "model.safetensors").rename(path / "model-00001-of-00001.safetensors")
        index = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
        (path / "model.safetensors.index.json").write_text(json.dumps(index))
    (path / "model-00001-of-00001.safetensors").unlink()
    found = saved_checkpoints(tmp_path)
    assert [checkpoint.step for checkpoint in found.whole] == [10, 20]
    assert not found.whole[0].is_adapter
    assert base_of_adapters(found) is None
    assert found.left_out == {
        "checkpoint-30": "model-00001-of-00001.safetensors is missing, which its "
        "model.safetensors.index.json names"
    }


def cut_short(path: Path) -> None:
    weights = path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])


def empty(path: Path) -> None:
    (path / "adapter_model.safetensors").write_bytes(b"")


def without_weights(path: Path) -> None:
    (path / "adapter_model.safetensors").unlink()


def in_parts(path: Path) -> None:
    without_weights(path)
    (path / "global_step30").mkdir()


def torn_pickle(path: Path) -> None:
    without_weights(path)
    (path / "adapter_model.bin").write_bytes(b"PK\x03\x04 and no end")


def torn_settings(path: Path) -> None:
    (path / "adapter_config.json").write_text('{"peft_type": "LO')


def deep_settings(path: Path) -> None:
    (path / "adapter_config.json").write_text("[" * 100_000)


def other_step(path: Path) -> None:
    (path / "trainer_state.json").write_text('{"global_step": 25}')


def no_step(path: Path) -> None:
    (path / "trainer_state.json").write_text('{"global_step": "30"}')


def nothing(path: Path) -> None:
    without_weights(path)
    (path / "adapter_config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_short, "adapter_model.safetensors is damaged, or was not written to its end"),
        (empty, "adapter_model.safetensors is damaged, or was not written to its end"),
        (without_weights, "it has no adapter_model.safetensors"),
        (in_parts, "its weights are in parts, one of each process: merge them first"),
        (torn_pickle, "adapter_model.bin is damaged, or was not written to its end"),
        (torn_settings, "its adapter_config.json is damaged, or was not written to its end"),
        (deep_settings, "its adapter_config.json is damaged, or was not written to its end"),
        (other_step, "its trainer_state.json says step 25"),
        (no_step, "its trainer_state.json names no global_step"),
        (nothing, "it has neither adapter_config.json nor config.json"),
    ],
)
def test_what_cannot_be_loaded_is_left_out_by_name(
    tmp_path: Path, damage: object, reason: str
) -> None:
    for step in (10, 20, 30):
        path = save(tmp_path, f"checkpoint-{step}")
    assert callable(damage)
    damage(path)
    found = saved_checkpoints(tmp_path)
    assert [checkpoint.step for checkpoint in found.whole] == [10, 20]
    assert list(found.left_out) == ["checkpoint-30"]
    assert found.left_out["checkpoint-30"].startswith(reason)


def test_shards_cannot_point_out_of_the_folder(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        path = save(tmp_path, f"checkpoint-{step}", adapter=False)
    index = {"weight_map": {"w": "../checkpoint-10/model.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert list(saved_checkpoints(tmp_path).left_out) == ["checkpoint-30"]


def test_one_checkpoint_is_nothing_to_choose_from(tmp_path: Path) -> None:
    save(tmp_path, "checkpoint-10")
    empty(save(tmp_path, "checkpoint-20"))
    with pytest.raises(ValueError, match="has one checkpoint, checkpoint-10, so there is nothing"):
        saved_checkpoints(tmp_path)
    empty(tmp_path / "checkpoint-10")
    with pytest.raises(ValueError, match=r"has no checkpoint that can be used\. checkpoint-10"):
        saved_checkpoints(tmp_path)


def test_a_folder_of_something_else_is_answered_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"found adapter_config\.json\. Give the output_dir"):
        saved_checkpoints(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        saved_checkpoints(tmp_path / "missing")


def test_two_checkpoints_of_one_step_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "checkpoint-10")
    save(tmp_path, "checkpoint-010")
    with pytest.raises(ValueError, match="two checkpoints of step 10"):
        saved_checkpoints(tmp_path)


def test_what_was_not_trained_together_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "checkpoint-10")
    save(tmp_path, "checkpoint-20", base="other")
    found = saved_checkpoints(tmp_path)
    with pytest.raises(ValueError, match="checkpoint-10 was trained on 'tiny' and checkpoint-20"):
        base_of_adapters(found)
    save(tmp_path, "checkpoint-30", adapter=False)
    with pytest.raises(ValueError, match="is an adapter and checkpoint-30 has whole weights"):
        saved_checkpoints(tmp_path)
