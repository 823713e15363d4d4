"""A payload in every file that is loaded: no command runs it."""

import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError

import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file
from typer.testing import CliRunner

from stagelift.evals.models.pickled import code_in
from stagelift.harness.cli import app
from tests.adapters import make_adapter
from tests.test_resume import Stopped, trained

PLANTED = "planted-code-ran"
# the code that a model's own files name
OWN_CODE = f"open({PLANTED!r}, 'w').close()\n"


class Payload:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {PLANTED}",)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "measure.yaml").write_text(
        "name: m\nmodel: {dtype: float32}\nstages: []\n"
        "evals:\n  accuracy: {task: schoolmath, limit: 2, max_tokens: 2, batch_size: 2}\n"
        "  preference: {prompts: null, against: []}\n"
    )
    return tmp_path


@pytest.fixture
def evaluate(folder: Path) -> Callable[..., Result]:
    del folder
    options = ["--recipe", "measure.yaml", "--dry-run"]
    return lambda *words: CliRunner().invoke(app, ["evaluate", *words, *options])


def planted(file: Path, *, zipped: bool = True) -> Path:
    """Write a payload where torch.load, or pickle.load, would run it."""
    if zipped:
        torch.save({"weights": Payload()}, file)
    else:
        file.write_bytes(pickle.dumps(Payload()))
    return file


def model_with(model: Path, folder: Path, **files: bytes) -> Path:
    shutil.copytree(model, folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_the_payload_runs_where_it_is_unpickled(folder: Path) -> None:
    torch.load(planted(folder / "weights.bin"), weights_only=False)
    assert (folder / PLANTED).exists()


def test_code_in_weights_is_seen_without_reading_them(folder: Path) -> None:
    torch.save({"w": torch.ones(2), "half": torch.ones(2).half()}, folder / "plain.bin")
    torch.save(torch.nn.Linear(2, 2).state_dict(), folder / "state.bin")
    assert code_in(folder / "plain.bin") is None and code_in(folder / "state.bin") is None
    assert code_in(planted(folder / "planted.bin")) == "posix.system"
    assert not (folder / PLANTED).exists()


def test_weights_with_a_payload_are_refused_by_name(
    evaluate: Callable[..., Result], folder: Path, tiny_model: Path
) -> None:
    model = model_with(tiny_model, folder / "model")
    (model / "model.safetensors").unlink()
    planted(model / "pytorch_model.bin")
    done = evaluate("./model")
    assert done.exit_code == 2
    assert "pytorch_model.bin' holds more than weights: as it is read it would call" in done.output
    adapter = make_adapter(tiny_model, folder / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").unlink()
    torch.save(weights, adapter / "adapter_model.bin")
    assert evaluate(str(tiny_model), "--adapter", "adapter").exit_code == 0
    planted(adapter / "adapter_model.bin")
    done = evaluate(str(tiny_model), "--adapter", "adapter")
    assert done.exit_code == 2 and "adapter_model.bin' holds more than weights" in done.output
    assert not (folder / PLANTED).exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_payload_beside_the_weights_is_never_read(
    evaluate: Callable[..., Result], folder: Path, tiny_model: Path, zipped: bool
) -> None:
    model = model_with(tiny_model, folder / "model")
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "vocab.pkl"):
        planted(model / name, zipped=zipped)
    for name in (
        "tokenizer.model",
        "vocab.json",
        "merges.txt",
        "spiece.model",
        "flax_model.msgpack",
        "generation_config.json",
    ):
        planted(model / name, zipped=False)
    done = evaluate("./model")
    assert done.exit_code in (0, 2), done.output
    assert not (folder / PLANTED).exists()


@pytest.mark.parametrize(
    "name",
    [
        *("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"),
        *("special_tokens_map.json", "chat_template.jinja"),
    ],
)
def test_a_pickle_under_the_name_of_a_model_s_file_is_refused(
    evaluate: Callable[..., Result], folder: Path, tiny_model: Path, name: str
) -> None:
    model_with(tiny_model, folder / "model", **{name: pickle.dumps(Payload())})
    done = evaluate("./model")
    assert done.exit_code == 2 and "Traceback" not in done.output, done.output
    assert not (folder / PLANTED).exists()


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_pickle_under_the_name_of_an_adapter_s_file_is_refused(
    evaluate: Callable[..., Result], folder: Path, tiny_model: Path, name: str
) -> None:
    adapter = make_adapter(tiny_model, folder / "adapter")
    (adapter / name).write_bytes(pickle.dumps(Payload()))
    for beside in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        planted(adapter / beside)
    done = evaluate(str(tiny_model), "--adapter", "adapter")
    assert done.exit_code == 2 and "Traceback" not in done.output, done.output
    assert not (folder / PLANTED).exists()


@pytest.mark.parametrize(
    "file",
    [
        "optimizer.pt",
        *(
            pytest.param(file, marks=pytest.mark.real)
            for file in ("scheduler.pt", "rng_state.pth", "training_args.bin", "scaler.pt")
        ),
        pytest.param("adapter_model.bin", marks=pytest.mark.real),
    ],
)
def test_a_checkpoint_with_a_payload_runs_nothing_as_a_training_goes_on(
    folder: Path, tiny_model: Path, file: str
) -> None:
    with pytest.raises(Stopped):
        trained("kto", tiny_model, folder / "node", stop_at=3)
    for checkpoint in (folder / "node" / "checkpoints").glob("checkpoint-*"):
        planted(checkpoint / file)
        if file == "adapter_model.bin":
            (checkpoint / "adapter_model.safetensors").unlink()
    # a file that is not read lets it go on; without float16 there is no scaler to read into
    with suppress(UnpicklingError, AttributeError):
        trained("kto", tiny_model, folder / "node")
    assert not (folder / PLANTED).exists()


def test_code_that_comes_with_a_model_is_refused_in_a_sentence_and_nobody_is_asked(
    evaluate: Callable[..., Result],
    folder: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", (folder / "measure.yaml").open())
    model = model_with(tiny_model, folder / "model", **{"modeling_own.py": OWN_CODE.encode()})
    config = json.loads((model / "config.json").read_text())
    classes = {name: f"modeling_own.{name}" for name in ("AutoConfig", "AutoModelForCausalLM")}
    (model / "config.json").write_text(
        json.dumps(config | {"model_type": "own", "auto_map": classes})
    )
    done = evaluate("./model")
    assert done.exit_code == 2, done.output
    said = " ".join(done.output.split())
    assert "names code of its own (auto_map in its settings) and cannot be loaded" in said, said
    assert not (folder / PLANTED).exists()


def test_code_beside_a_known_architecture_is_left_alone(
    evaluate: Callable[..., Result], folder: Path, tiny_model: Path
) -> None:
    model = model_with(tiny_model, folder / "model", **{"modeling_own.py": OWN_CODE.encode()})
    (model / "custom_generate").mkdir()
    (model / "custom_generate" / "generate.py").write_text(OWN_CODE)
    for name, auto in (("config.json", "AutoModelForCausalLM"), ("tokenizer_config.json", "x")):
        settings = json.loads((model / name).read_text())
        settings["auto_map"] = (
            {auto: "modeling_own.Model"}
            if auto != "x"
            else {"AutoTokenizer": ["modeling_own.Tokenizer", None]}
        )
        (model / name).write_text(json.dumps(settings))
    done = evaluate("./model")
    assert done.exit_code in (0, 2), done.output
    assert "Traceback" not in done.output and not (folder / PLANTED).exists()
