"""Shared pieces: a random two-layer model with a tokenizer of its own, and recipes small enough for
seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.random_model import CHATML, school_tokenizer
from tests.shared import base_of_all_workers, made_once, written_since

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
# tests run side by side, and the tiny model gains nothing from threads
os.environ["OMP_NUM_THREADS"] = "1"
# recipes name rewards of the package `tests`, which is in no working folder
os.environ["STAGELIFT_TRUST"] = "code"

# another way to write turns than ChatML
INSTRUCT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}[INST] "
    "{{ message['content'] }} [/INST]{% else %}{{ message['content'] }}<|im_end|>{% endif %}"
    "{% endfor %}"
)
MULTIPLE_CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.5}}
"""


# fixtures that are folders, made once for all workers of a session, and not to be written to
MADE_ONCE = {
    "tiny_model",
    "another_model",
    "tiny_recipe_file",
    "finished_run",
    "reward_model",
    "local",
}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temp folder of all workers."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
    return base_of_all_workers(tmp_path_factory, worker)


@pytest.fixture(autouse=True)
def what_is_shared_stays_as_it_is(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that wrote into a shared folder fails: it should have worked in a copy."""
    yield
    for name in MADE_ONCE.intersection(request.fixturenames):
        written = written_since(request.getfixturevalue("shared") / name)
        assert not written, f"{request.node.name} wrote into {name}: {written}"


@pytest.fixture(scope="session")
def tiny_model(shared: Path) -> Path:
    """A folder with a random two-layer Llama and a BPE tokenizer trained on the bundled
    problems.
    """
    return made_once(shared, "tiny_model", lambda folder: make_tiny_model(folder, CHATML))


@pytest.fixture(scope="session")
def another_model(shared: Path) -> Path:
    """The same with another tokenizer and another chat template."""
    return made_once(
        shared, "another_model", lambda folder: make_tiny_model(folder, INSTRUCT, tokens=400)
    )


def make_tiny_model(folder: Path, chat_template: str | None, tokens: int = 600) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    wrapped = school_tokenizer(tokens)
    wrapped.chat_template = chat_template
    wrapped.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(wrapped),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_recipe_file(shared: Path, tiny_model: Path) -> Path:
    """The recipe of `finished_run`."""

    def make(folder: Path) -> None:
        rows = [
            {"q": f"What is {i} + 2?", "choices": ["1", "3", "cats"], "gold": i % 3}
            for i in range(9)
        ]
        data, task = folder / "sums.json", folder / "sums.yaml"
        data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        task.write_text(MULTIPLE_CHOICE.format(name="sums", data=data.as_posix()))
        with_task = (
            f"{tiny_recipe_text(tiny_model)}  tasks: [{{task: {task.as_posix()}, limit: 6}}]"
        )
        (folder / "tiny.yaml").write_text(f"{with_task}\n")

    return made_once(shared, "tiny_recipe_file", make) / "tiny.yaml"


@pytest.fixture(scope="session")
def finished_run(shared: Path, tiny_recipe_file: Path) -> Path:
    """The folder of a whole run on the tiny model.

    Its bytes are those that `stagelift run` makes with a process per job: test_run compares them.
    """
    folder = made_once(shared, "finished_run", lambda folder: make_run(tiny_recipe_file, folder))
    return folder / "runs" / "tiny"


@pytest.fixture(scope="session")
def reward_model(shared: Path, tiny_model: Path) -> Path:
    """A reward model on the tiny model, after three steps of `stagelift judge train`."""
    words = ["judge", "train", "--model", str(tiny_model), "--dataset", "bundled/instructions"]
    settings = ["--set", "max_steps=3", "--set", "per_device_train_batch_size=4"]

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "stagelift", *words, "--output", str(folder), *settings]
        run_to_end(command, folder.parent, environment())

    return made_once(shared, "reward_model", make)


def make_run(recipe: Path, folder: Path) -> None:
    """Make the run of a recipe below a folder, in one process of its own."""
    command = [sys.executable, "-m", "tests.in_process", str(recipe)]
    # like the worker processes
    run_to_end(command, folder, environment() | {"PYTHONHASHSEED": "0"})


def run_to_end(command: list[str], folder: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    """What a command needs to find the packages under test from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}


@pytest.fixture
def tiny_recipe(tiny_model: Path, tmp_path: Path) -> Path:
    """A recipe file for the whole chain on the tiny model, with few steps and problems."""
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_recipe_text(tiny_model))
    return path


def tiny_recipe_text(model: Path, limit: int = 12) -> str:
    return f"""
name: tiny
model: {{path: "{model.as_posix()}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 64}}
stages:
  - sft:
      args: {{max_steps: 12, per_device_train_batch_size: 4, learning_rate: 1e-2, save_steps: 1}}
  - dpo:
      args: {{max_steps: 6, per_device_train_batch_size: 2, learning_rate: 1e-3, save_steps: 1}}
  - grpo:
      rewards: [correctness, brevity, tests.rewards.share_of_letters]
      args: {{max_steps: 5, per_device_train_batch_size: 4, num_generations: 2,
              max_completion_length: 12, beta: 0.1, learning_rate: 1e-2, save_steps: 1}}
evals:
  accuracy: {{task: schoolmath, limit: {limit}, held_out: 4, max_tokens: 16, batch_size: 2}}
  preference: {{prompts: {{path: bundled/instructions, limit: 6}}}}
"""
