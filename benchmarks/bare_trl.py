"""SFT, DPO and GRPO with TRL alone, as its documentation writes them: what our stages are timed
against.

    python -m benchmarks.bare_trl job.json

Of ours it takes the reward functions, so that both sides earn the same rewards. `job.json` holds
the fields of `Job`.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from transformers import TrainerCallback


@dataclass(frozen=True)
class Job:
    """One stage: a model's folder, maybe an adapter to train further, and a file of rows.

    `args` are those of TRL's config. With `quantization` ours holds the weights in 4 bits.
    """

    kind: str
    model: str
    dtype: str
    rows: str
    args: dict[str, Any]
    lora: dict[str, Any]
    output: str
    adapter: str | None = None
    rewards: list[str] = field(default_factory=list)
    seed: int = 0
    quantization: Literal["4bit"] | None = None


def main() -> None:
    """Train what a file asks for."""
    train(Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))


def train(job: Job, callbacks: Sequence[TrainerCallback] = ()) -> Any:
    """Train, save the adapter into `output`, and return the trainer."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import torch
    import trl
    from datasets import load_dataset
    from peft import LoraConfig, PeftModel
    from transformers import AutoModelForCausalLM, set_seed

    config, trainer_class = {
        "sft": (trl.SFTConfig, trl.SFTTrainer),
        "dpo": (trl.DPOConfig, trl.DPOTrainer),
        "grpo": (trl.GRPOConfig, trl.GRPOTrainer),
    }[job.kind]
    model = AutoModelForCausalLM.from_pretrained(job.model, dtype=getattr(torch, job.dtype))
    set_seed(job.seed)
    more: dict[str, Any] = {}
    if job.adapter is None:
        more["peft_config"] = LoraConfig(task_type="CAUSAL_LM", **job.lora)
    else:
        model = PeftModel.from_pretrained(model, job.adapter, is_trainable=True)
    if job.kind == "grpo":
        more["reward_funcs"] = _rewards(job.rewards)
    trainer = trainer_class(
        model=model,
        args=config(output_dir=job.output, seed=job.seed, **_usual(job), **job.args),
        train_dataset=load_dataset("json", data_files=job.rows, split="train"),
        callbacks=list(callbacks),
        **more,
    )
    trainer.train()
    trainer.save_model(job.output)
    return trainer


def _usual(job: Job) -> dict[str, Any]:
    """What a user sets for a machine: TRL's defaults are for a GPU with bfloat16."""
    import torch

    usual: dict[str, Any] = {"report_to": "none", "logging_steps": 1}
    if torch.cuda.is_available():
        return usual | {"bf16": job.dtype == "bfloat16", "fp16": job.dtype == "float16"}
    # there is memory enough to keep the activations
    return usual | {"use_cpu": True, "bf16": False, "activation_checkpointing": False}


def _rewards(names: list[str]) -> list[Any]:
    from stagelift.stages.rewards import load_reward

    return [load_reward(name) for name in names]


if __name__ == "__main__":
    main()
