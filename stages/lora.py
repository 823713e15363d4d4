"""One LoRA adapter carried through the chain: made at the first trained stage, loaded and trained
further at the next.

A stage with other LoRA settings than those that come in starts a new one, on weights that the old
one is merged into. Either way it starts from the model that the stage before ended with, which is
looked at here.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagelift.evals.models import pretrained
from stagelift.evals.models.model import ModelRef, load_base, tokenizer_of
from stagelift.stages.folders import TrainingFolder
from stagelift.stages.lora_settings import is_principal, lora_config

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from stagelift.stages.records import FixedLogits


def load_policy(ref: ModelRef, lora: dict[str, Any], seed: int) -> "PeftModel":
    """Return the model to train: the parent's adapter where `ref` has one, else a new adapter with
    `lora` settings.

    The adapter is called `default`: TRL copies that one into a frozen `ref`, so the reference
    policy of every kind that has one is the previous stage. A new adapter changes nothing yet, so
    there the reference is the base. Raises AnotherModelError where the model is not the one that
    the stage before ended with.
    """
    import torch
    from peft import LoraConfig, PeftModel
    from transformers import set_seed

    from stagelift.stages.principal import hold_second_half
    from stagelift.stages.reference import copied_whole
    from stagelift.stages.same_model import check_start

    base = load_base(ref)
    before = _end_of_the_stage_before(ref, base)
    set_seed(seed)
    if ref.adapter is None:
        policy = _with_new_adapter(base, lora)
    else:
        policy = pretrained.with_adapter(base, ref.adapter, trainable=True)
    assert isinstance(policy, PeftModel) and isinstance(policy.peft_config["default"], LoraConfig)
    for parameter in policy.parameters():
        # fp16's GradScaler refuses 16-bit gradients
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    check_start(before, policy, ref.dtype)
    copied_whole(policy)
    if is_principal(lora):
        hold_second_half(policy)
    return policy


def _with_new_adapter(base: "PreTrainedModel", lora: dict[str, Any]) -> Any:
    from peft import get_peft_model

    from stagelift.stages.principal import with_principal_adapter

    return (with_principal_adapter if is_principal(lora) else get_peft_model)(
        base, lora_config(lora)
    )


def _end_of_the_stage_before(ref: ModelRef, base: "PreTrainedModel") -> "FixedLogits | None":
    """Return what the model says that a stage starts from: as its own stage wrote it down, else,
    where a new adapter starts, as it is now.

    None where an adapter goes on that nobody wrote this down of.
    """
    from stagelift.stages.same_model import fixed_logits, fixed_tokens

    before = ref.adapter or next(reversed(ref.merged), None)
    written = None if before is None else _written_by_its_stage(TrainingFolder(Path(before).parent))
    if written is None and ref.adapter is None:
        return fixed_logits(base, ref.dtype, fixed_tokens(tokenizer_of(ref)))
    return written


def _written_by_its_stage(folder: TrainingFolder) -> "FixedLogits | None":
    """Return what a stage wrote down of its end; None of a folder that no stage was trained in."""
    return folder.read_logits() if folder.is_trained() else None
