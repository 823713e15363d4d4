"""Train one stage: rows -> TRL config -> trainer -> saved adapter -> StageResult."""

from pathlib import Path
from typing import Any

from stagelift.evals.models.model import ModelRef, load_tokenizer
from stagelift.stages import dpo, grpo, sft
from stagelift.stages.data import training_rows
from stagelift.stages.distributed import check_rows, check_world
from stagelift.stages.fit import OnStep, checkpoints_folder, fit
from stagelift.stages.lora import load_policy
from stagelift.stages.records import StageResult
from stagelift.stages.settings import StageSettings, training_config


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
    """Train on top of `parent` and write `adapter/` under `folder`; a killed call goes on where it
    was.

    Each of `processes` that train together calls this; the first of them writes. Raises ValueError
    where they are not so many.
    """
    config = training_config(
        settings.kind,
        settings.args,
        checkpoints_folder(folder),
        seed,
        parent.device,
        parent.dtype,
        processes,
    )
    # the config, built before the model, also gives each process a GPU of its own
    check_world(config.world_size, processes)
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
    # which deals out whole generations, and drops what is left at the end
    if settings.kind != "grpo":
        check_rows(len(trainer.train_dataset), config, processes)
    return fit(settings.kind, trainer, parent, folder, versions, on_step)
