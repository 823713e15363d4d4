"""The bundled weights, for real: loading, a chain of two short stages, and what lm-eval makes of
it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.reports.records import read_run

RECIPE = """
name: weights
lora: {r: 8, target_modules: [q_proj, v_proj]}
stages:
  - sft: {args: {max_steps: 2, per_device_train_batch_size: 2, learning_rate: 1e-3}}
  - dpo: {args: {max_steps: 1, per_device_train_batch_size: 2, learning_rate: 1e-5}}
evals:
  accuracy: {task: schoolmath, limit: 8, max_tokens: 48, batch_size: 8}
"""


@pytest.mark.real
def test_the_bundled_model_goes_through_sft_and_dpo(tmp_path: Path) -> None:
    (tmp_path / "weights.yaml").write_text(RECIPE)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
    }
    command = [sys.executable, "-m", "stagelift", "run", "weights.yaml"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_run(tmp_path / "runs" / "weights")
    assert run.model == "SmolLM2-135M-Instruct (Q4_1, de-quantised)"
    base, sft, dpo = run.stages
    assert sft.training is not None and dpo.training is not None
    # this model, asked a school problem, is understood: a random one would have a loss of ln(49152)
    # = 10.8
    assert float(str(sft.training.history[0]["loss"])) < 2
    assert dpo.training.history[0]["loss"] == pytest.approx(0.6931, abs=2e-3)
    first = next(iter(base.generations.values()))
    assert first.prompt.startswith(
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM"
    )
    assert any(
        char.isdigit() for generation in base.generations.values() for char in generation.response
    )
