"""Train one stage: rows -> TRL config -> trainer -> saved adapter -> StageResult."""

import gc
from pathlib import Path
from typing import Any

from stagelift.evals.models.model import ModelRef, tokenizer_of
from stagelift.evals.records import SmallerBatch
from stagelift.stages.distributed import check_rows, check_world
from stagelift.stages.fit import fit
from stagelift.stages.folders import NodeFolder
from stagelift.stages.four_bit import adapter_unrounded
from stagelift.stages.health.weights import are_finite
from stagelift.stages.keep import save_logits
from stagelift.stages.kind import Kind
from stagelift.stages.kinds import kind_named
from stagelift.stages.ledger import OnStep
from stagelift.stages.lora import load_policy
from stagelift.stages.lora_settings import is_principal
from stagelift.stages.records import FixedLogits, StageResult
from stagelift.stages.rows.as_asked import as_asked
from stagelift.stages.rows.rewarded import rewards_of
from stagelift.stages.rows.training import training_rows
from stagelift.stages.same_model import check_loaded_again
from stagelift.stages.settings import StageSettings, training_config
from stagelift.stages.smaller_batch import parts_of


def train(
    settings: StageSettings,
    parent: ModelRef,
    lora: dict[str, Any],
    seed: int,
    folder: Path,
    versions: dict[str, str],
    on_step: OnStep,
    processes: int = 1,
    keep_every: int | None = None,
    *,
    stop_when_ill: bool = False,
    smaller_batch: SmallerBatch | None = None,
) -> StageResult:
    """Train on top of `parent` and write `adapter/` under `folder`; a killed call goes on where it
    was.

    Each of `processes` that train together calls this; the first of them writes. With `keep_every`
    no adapter is the stage's yet, and `stop_when_ill` may end it early (`fit`). Of a
    `smaller_batch` each batch is taken in parts, because memory ran out before. Raises ValueError
    where there are not so many processes, LostWeights where weights are no longer finite, and
    AnotherModelError where another model is trained than came in, or than was saved.
    """
    place = NodeFolder(folder)
    kind = kind_named(settings.kind)
    parts, on = parts_of(smaller_batch), parent.device
    config = training_config(
        kind, settings.args, place.checkpoints, seed, on, parent.dtype, processes, parts
    )
    # the config, built before the model, also gives each process a GPU of its own
    check_world(config.world_size, processes)
    rows = _rows(kind, settings, parent)
    policy = load_policy(parent, lora, seed)
    trainer = _trainer(kind, settings, policy, config, rows, parts, lora)
    # a rewarded kind deals out whole generations, and drops what is left at the end of an epoch
    if not kind.rewarded:
        check_rows(len(trainer.train_dataset), config, processes)
    result = fit(
        kind, trainer, parent, folder, versions, on_step, keep_every, stop_when_ill=stop_when_ill
    )
    saved = place if keep_every is None else _last_kept(place, result)
    logits = _end(trainer, saved, parent)
    # room for the model that is loaded again
    del policy, trainer
    gc.collect()
    check_loaded_again(logits, parent, saved.adapter)
    return result.model_copy(update={"smaller_batch": smaller_batch})


def _trainer(
    kind: Kind,
    settings: StageSettings,
    policy: Any,
    config: Any,
    rows: dict[str, Any],
    parts: int,
    lora: dict[str, Any],
) -> Any:
    with adapter_unrounded(policy):
        trainer = kind.trainer(model=policy, args=config, **rows, **_rewards(kind, settings))
    if kind.rewarded:
        trainer.generated_in_parts = parts
    if is_principal(lora):
        from stagelift.stages.principal import SecondHalfHeld

        trainer.add_callback(SecondHalfHeld(policy))
    return trainer


def _end(trainer: Any, saved: NodeFolder, parent: ModelRef) -> FixedLogits | None:
    """Write down, in the first process, what the trained model says to fixed tokens, and return it.

    The last adapter that was kept said it while it trained, when steps are faster and round in
    another way: near enough for the next stage, and not for what is loaded again. Where weights
    were lost an earlier adapter was kept, and nothing is said of it now.
    """
    if not (trainer.accelerator.is_main_process and are_finite(trainer.model)):
        return None
    return save_logits(trainer, saved, parent.dtype)


def _last_kept(place: NodeFolder, result: StageResult) -> NodeFolder:
    """Return the last adapter that was kept; where weights were lost it is from before."""
    return place.kept(max(place.kept_steps(), default=result.steps))


def _rows(kind: Kind, settings: StageSettings, parent: ModelRef) -> dict[str, Any]:
    tokenizer = tokenizer_of(parent)
    rows = as_asked(kind, training_rows(settings), tokenizer)
    return {"train_dataset": rows, "processing_class": tokenizer}


def _rewards(kind: Kind, settings: StageSettings) -> dict[str, Any]:
    if not kind.rewarded:
        return {}
    return {"reward_funcs": rewards_of(settings)}
