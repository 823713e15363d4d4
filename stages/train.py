"""Train one stage: rows -> TRL config -> trainer -> saved adapter -> StageResult."""

from pathlib import Path
from typing import Any

from evals.model import ModelRef, load_tokenizer
from stages import dpo, grpo, sft
from stages.data import training_rows
from stages.fit import OnStep, checkpoints_folder, fit
from stages.lora import load_policy
from stages.records import StageResult
from stages.settings import StageSettings, shared_batch, training_config


def train(
    settings: StageSettings,
    parent: ModelRef,
    lora: dict[str, Any],
    seed: int,
    folder: Path,
    versions: dict[str, str],
    on_step: OnStep,
    processes: int = 1,
) -> StageResult:
    """Train on top of `parent` and write `adapter/` under `folder`; a killed call goes on where it was.

    With several `processes`, each of which calls this, they share every batch: the stage is the same training.
    """
    args = shared_batch(settings.kind, settings.args, processes)
    config = training_config(settings.kind, args, checkpoints_folder(folder), seed, parent.device, parent.dtype)
    rows = training_rows(settings)
    tokenizer = load_tokenizer(parent.path, parent.revision, parent.eos_token)
    policy = load_policy(parent, lora, seed)
    match settings.kind:
        case "sft":
            trainer = sft.trainer(policy, config, rows, tokenizer)
        case "dpo":
            trainer = dpo.trainer(policy, config, rows, tokenizer)
        case "grpo":
            trainer = grpo.trainer(policy, config, rows, tokenizer, settings.rewards)
    return fit(settings.kind, trainer, parent, folder, versions, on_step)
