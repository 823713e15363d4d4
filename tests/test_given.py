import json
import struct
from pathlib import Path

import pytest

from stagelift.evals.models.bundled import NAME
from stagelift.evals.models.given import check_adapter, check_weights, recognise, tensor_shapes


def safetensors(file: Path, shape: tuple[int, ...] = (2, 3)) -> Path:
    """Write a file of one float32 tensor."""
    size = 4 * shape[0] * shape[1]
    tensor = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "weight": tensor}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    return file


def folder(place: Path, *names: str) -> Path:
    place.mkdir()
    for name in names:
        if name.endswith(".safetensors"):
            safetensors(place / name)
        else:
            (place / name).write_text("{}")
    return place


def test_folders_files_and_names_are_recognised(tmp_path: Path) -> None:
    model = folder(tmp_path / "model", "config.json", "model.safetensors")
    adapter = folder(tmp_path / "adapter", "adapter_config.json", "adapter_model.safetensors")
    # as some trainers leave it: the config of the model below
    also = folder(
        tmp_path / "also", "config.json", "adapter_config.json", "adapter_model.safetensors"
    )
    (tmp_path / "blob").write_bytes(b"GGUF\x03\0\0\0")
    found = [recognise(str(path)).what for path in (model, adapter, also, tmp_path / "blob")]
    assert found == ["model", "adapter", "adapter", "gguf"]
    assert recognise(NAME).what == "model"
    assert recognise("no-such/model").what == "model"


def test_what_is_none_of_them_is_said_with_what_was_seen(tmp_path: Path) -> None:
    folder(tmp_path / "both", "config.json", "model.safetensors", "adapter_config.json")
    folder(tmp_path / "empty")
    folder(tmp_path / "other", "notes.txt", "data.json")
    folder(tmp_path / "quantised", "a-Q4.gguf")
    folder(tmp_path / "out")
    folder(tmp_path / "out" / "checkpoint-20", "config.json")
    (tmp_path / "rows.jsonl").write_text("{}")
    sentences = {
        "both": "has full weights and an adapter",
        "empty": "There is nothing",
        "other": "There is data.json, notes.txt",
        "quantised": "it has GGUF files. Name one",
        "out": "it has a trainer's checkpoints. Name one of them",
        "rows.jsonl": "is a file, and no GGUF file",
        "missing": "does not exist",
    }
    for name, says in sentences.items():
        with pytest.raises(ValueError, match=says) as raised:
            recognise(str(tmp_path / name))
        assert str(tmp_path / name) in str(raised.value)


def test_weights_are_whole_or_it_is_said(tmp_path: Path) -> None:
    model = folder(tmp_path / "model", "config.json")
    with pytest.raises(ValueError, match="there are no weights"):
        check_weights(model)
    # an adapter's weights are not a model's
    safetensors(model / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="there are no weights"):
        check_weights(model)
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    safetensors(model / "model-1.safetensors")
    with pytest.raises(ValueError, match=r"names 'model-2\.safetensors'"):
        check_weights(model)
    second = safetensors(model / "model-2.safetensors")
    check_weights(model)
    whole = second.read_bytes()
    second.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="is cut off: its tensors end at byte"):
        check_weights(model)
    for length in (0, 3, 20):
        second.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is damaged"):
            check_weights(model)


def test_an_adapter_has_settings_and_weights_or_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no LoRA adapter: .* but config\.json"):
        check_adapter(folder(tmp_path / "model", "config.json"))
    adapter = folder(tmp_path / "adapter", "adapter_config.json")
    with pytest.raises(ValueError, match="has no weights"):
        check_adapter(adapter)
    safetensors(adapter / "adapter_model.safetensors")
    assert check_adapter(adapter) == {}
    (adapter / "adapter_config.json").write_text("[]")
    with pytest.raises(ValueError, match="does not hold a JSON object"):
        check_adapter(adapter)


def test_shapes_are_read_off_the_header(tmp_path: Path) -> None:
    assert tensor_shapes(safetensors(tmp_path / "a.safetensors", (5, 7))) == {"weight": (5, 7)}
