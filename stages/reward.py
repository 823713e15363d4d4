"""Train a reward model with TRL's RewardTrainer: a LoRA adapter and a score head, merged into an
ordinary model folder.

What comes out is a sequence-classification model with one output that any library loads, `model/`
under the folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.preferences import Preference, load_preferences
from stagelift.evals.data.source import Source
from stagelift.evals.models import pretrained
from stagelift.evals.models.model import ModelRef, model_folder, tokenizer_of
from stagelift.evals.records import SmallerBatch
from stagelift.evals.whole import replaced_folder
from stagelift.stages.folders import JudgeFolder
from stagelift.stages.kind import Method
from stagelift.stages.records import StageResult
from stagelift.stages.settings import training_config
from stagelift.stages.smaller_batch import parts_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from stagelift.stages.ledger import OnStep

# not a kind of stage: what comes out judges, and no recipe lists it
REWARD_MODEL = Method(name="reward", config="RewardConfig")
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}


def train_reward_model(
    base: ModelRef,
    source: Source,
    args: dict[str, Any],
    seed: int,
    folder: Path,
    versions: dict[str, str],
    on_step: "OnStep",
    smaller_batch: SmallerBatch | None = None,
) -> StageResult:
    """Train on a preference dataset's pairs and write `folder/model`; a killed call goes on where
    it was.

    Of a `smaller_batch` each batch is taken in parts, because memory ran out before.
    """
    from trl import RewardTrainer

    from stagelift.stages.fit import fit

    config = training_config(
        REWARD_MODEL,
        args,
        JudgeFolder(folder).checkpoints,
        seed,
        base.device,
        base.dtype,
        parts=parts_of(smaller_batch),
    )
    tokenizer = tokenizer_of(base)
    trainer = RewardTrainer(
        model=_policy(base, seed),
        args=config,
        train_dataset=reward_rows(source),
        processing_class=tokenizer,
    )
    result = fit(REWARD_MODEL, trainer, base, folder, versions, on_step)
    _merge(base, folder)
    return result.model_copy(update={"smaller_batch": smaller_batch})


def reward_rows(source: Source) -> "Dataset":
    """Return the pairs as conversations with an implicit prompt, as TRL takes them; rows without a
    pair are left out.
    """
    from datasets import Dataset

    pairs = [
        one
        for one in load_preferences(source)
        if one.chosen is not None and one.rejected is not None
    ]
    return Dataset.from_list(
        [
            {"chosen": _conversation(one, one.chosen), "rejected": _conversation(one, one.rejected)}
            for one in pairs
        ]
    )


def _conversation(preference: Preference, answer: str | None) -> list[dict[str, str]]:
    assert answer is not None
    return [*preference.prompt, {"role": "assistant", "content": answer}]


def _policy(base: ModelRef, seed: int) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model

    policy = get_peft_model(
        _classifier(base, getattr(torch, base.dtype), seed),
        LoraConfig(task_type="SEQ_CLS", modules_to_save=["score"], **LORA),
    )
    for parameter in policy.parameters():
        # as in stages.lora: fp16's GradScaler refuses 16-bit gradients
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    policy.score.register_forward_pre_hook(_in_float32)
    return policy


def _in_float32(_head: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give the head states as precise as its weights; on CPU nothing else would."""
    return (given[0].float(), *given[1:])


def _classifier(base: ModelRef, dtype: Any, seed: int) -> "PreTrainedModel":
    from transformers import set_seed

    # the score head starts at random
    set_seed(seed)
    model = pretrained.reward_model(model_folder(base.path), base.revision, dtype)
    model.config.get_text_config().pad_token_id = tokenizer_of(base).pad_token_id
    return model.to(base.device)


def _merge(base: ModelRef, folder: Path) -> None:
    """Merge in float32 (in 16 bits merging rounds), and let the folder appear in one rename."""
    import torch

    place = JudgeFolder(folder)
    adapted = pretrained.with_adapter(_classifier(base, torch.float32, 0), place.adapter)
    with replaced_folder(place.model) as beside:
        adapted.merge_and_unload().save_pretrained(beside)
        tokenizer_of(base).save_pretrained(beside)
