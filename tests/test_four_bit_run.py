"""A run on weights in 4 bits, through the command: what it says of itself, and what goes on from
it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.sources import ROOT

pytestmark = pytest.mark.real


def stagelift(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    done = subprocess.run(
        [sys.executable, "-m", "stagelift", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "gemm_4bit" not in said
    return f"{done.returncode} {said}"


def test_a_run_in_4_bits_says_so_and_can_be_used_further(tiny_model: Path, tmp_path: Path) -> None:
    args = {"max_steps": 3, "per_device_train_batch_size": 4, "learning_rate": 1e-2}
    recipe = {
        "name": "four",
        "model": {"path": str(tiny_model), "dtype": "float32", "quantization": "4bit"},
        "lora": {"r": 4, "target_modules": "all-linear"},
        "data": {"path": "bundled/schoolmath", "limit": 16},
        "stages": [{"sft": {"args": {**args, "optim": "adamw_8bit"}}}],
        "evals": {
            "accuracy": {"limit": 8, "max_tokens": 16, "batch_size": 8},
            "preference": {"prompts": {"path": "bundled/instructions", "limit": 4}},
        },
    }
    (tmp_path / "four.yaml").write_text(yaml.safe_dump(recipe))
    assert stagelift(tmp_path, "run", "four.yaml").startswith("0 ")
    report = (tmp_path / "runs" / "four" / "report.md").read_text()
    assert "tiny\\_model, in 4 bits" in report and "float32 on weights in 4 bits" in report
    (node,) = (tmp_path / "runs" / "nodes").glob("sft-*")
    card = (node / "adapter" / "README.md").read_text()
    assert "- 4-bit\n" in card and "quantization_config=four_bits" in card
    assert "bnb_4bit_compute_dtype=torch.float32" in card and "is another model" in card
    assert "float32 on weights in 4 bits" in stagelift(tmp_path, "plan", "four.yaml")

    # others measure the same adapter, and the same responses come
    words = ["evaluate", str(tiny_model), "--recipe", "four.yaml", "--name", "again"]
    adapter = ["--adapter", str(node / "adapter"), "--runs", "elsewhere"]
    assert stagelift(tmp_path, *words, *adapter).startswith("0 ")
    (again,) = (tmp_path / "elsewhere" / "nodes").glob("checkpoint-*")
    answers = [next(place.glob("evals/*/generations.jsonl")).read_text() for place in (node, again)]
    assert answers[0] == answers[1]

    assert stagelift(tmp_path, "export", "four", "out", "--format", "lm-eval").startswith("0 ")
    exported = " ".join(file.read_text() for file in (tmp_path / "out").rglob("*.json"))
    assert json.loads(next((tmp_path / "out").rglob("results*.json")).read_text()) and exported

    plain = ["--set", "model.quantization=null", "--name", "plain", "--set", "stages=[]"]
    assert stagelift(tmp_path, "run", "four.yaml", *plain).startswith("0 ")
    refused = stagelift(tmp_path, "report", "four", "plain")
    assert not refused.startswith("0 ") and "quantization" in refused
