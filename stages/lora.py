"""One LoRA adapter carried through the chain: made at the first trained stage, loaded and trained
further at the next.

A stage with other LoRA settings than those that come in starts a new one, on weights that the old
one is merged into.
"""

import difflib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from stagelift.evals.models import pretrained
from stagelift.evals.models.model import ModelRef, load_base
from stagelift.evals.remembered import remembered
from stagelift.stages.numbers import LORA, check_numbers

if TYPE_CHECKING:
    from peft import PeftModel


# ways to initialise an adapter that take a part out of the weights below it
_CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


def load_policy(ref: ModelRef, lora: dict[str, Any], seed: int) -> "PeftModel":
    """Return the model to train: the parent's adapter where `ref` has one, else a new adapter with
    `lora` settings.

    The adapter is called `default`: TRL copies that one into a frozen `ref`, so the reference
    policy of every kind that has one is the previous stage. A new adapter changes nothing yet, so
    there the reference is the base.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import set_seed

    base = load_base(ref)
    set_seed(seed)
    if ref.adapter is None:
        policy = get_peft_model(base, lora_config(lora))
    else:
        policy = pretrained.with_adapter(base, ref.adapter, trainable=True)
    assert isinstance(policy, PeftModel) and isinstance(policy.peft_config["default"], LoraConfig)
    for parameter in policy.parameters():
        # fp16's GradScaler refuses 16-bit gradients
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return policy


def check_lora(lora: dict[str, Any]) -> None:
    """Raise ValueError in a sentence where peft would not take the settings."""

    def build() -> None:
        lora_config(lora)

    remembered("lora", lora, build)


def changes_the_base(initialised: object) -> bool:
    """Say whether an adapter's `init_lora_weights` puts other weights below the adapter.

    Such an adapter means something else on the model that it was made from, and peft does it again
    whenever it adds one.
    """
    return isinstance(initialised, str) and initialised.startswith(_CHANGE_THE_BASE)


def lora_config(lora: dict[str, Any]) -> Any:
    """Build peft's LoraConfig. Raises ValueError in a sentence for an argument it does not know."""
    from peft import LoraConfig

    if type(lora.get("r", 8)) is not int or lora.get("r", 8) < 1:
        raise ValueError(
            f"Recipe section 'lora': r is {lora['r']!r}, it must be a whole number of 1 or more."
        )
    check_numbers(lora, LORA, "Recipe section 'lora': ")
    if changes_the_base(lora.get("init_lora_weights")):
        raise ValueError(
            f"Recipe section 'lora': init_lora_weights is {lora['init_lora_weights']!r}, which "
            "changes the weights below the adapter, once more with each stage. Leave it out."
        )
    known = [field.name for field in fields(LoraConfig)]
    for name in lora:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise ValueError(f"Recipe section 'lora': LoraConfig has no argument '{name}'{hint}")
    try:
        return LoraConfig(task_type="CAUSAL_LM", **lora)
    except (TypeError, ValueError) as error:
        reason = str(error).removeprefix("LoraConfig.__init__() ")
        raise ValueError(f"Recipe section 'lora': LoraConfig {reason}.") from error
