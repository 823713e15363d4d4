"""What a recipe's `lora` may say: peft's LoraConfig, less what could not keep its word.

A stage must start from the model that the one before ended with, and what is saved must be what was
trained. Settings that cannot give both are refused here, each with its reason.
"""

import re
from dataclasses import fields
from typing import Any

from stagelift.evals.nearest import nearest
from stagelift.evals.remembered import remembered
from stagelift.stages.numbers import LORA, check_numbers

# initialisations that move a part of the weights into the adapter: see stages/principal.py
_PRINCIPAL = r"pissa(_niter_\d{1,4})?|olora"
_CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_PLAIN = (True, "gaussian", "orthogonal", "mica")
_READS_DATA = "reads training data before the first step, and nothing here shows it any"
_OTHER_WEIGHTS = "puts other weights below the adapter, so the stage starts from another model"
_NOT_INITIALISED = {
    "False": "gives an adapter that changes the model before the first step",
    "eva": _READS_DATA,
    "corda": _READS_DATA,
    "lora_ga": _READS_DATA,
    "loftq": f"quantises the weights again and {_OTHER_WEIGHTS}",
}
_OF_MEGATRON = "is for Megatron's layers, which no model here has"
_OF_MODEL = "is said of the model: set it in the recipe's section 'model'"
_BY_PEFT = "is what peft writes into an adapter's file itself"
# settings that are refused whatever they say, and why
REFUSED = {
    "peft_type": _BY_PEFT,
    "auto_mapping": _BY_PEFT,
    "peft_version": _BY_PEFT,
    "base_model_name_or_path": _OF_MODEL,
    "revision": _OF_MODEL,
    "eva_config": f"belongs to eva, which {_READS_DATA}",
    "corda_config": f"belongs to corda, which {_READS_DATA}",
    "lora_ga_config": f"belongs to lora_ga, which {_READS_DATA}",
    "loftq_config": f"belongs to loftq, which {_NOT_INITIALISED['loftq']}",
    "inference_mode": "says that nothing is trained",
    "layer_replication": f"stacks the layers anew and {_OTHER_WEIGHTS}",
    "kasa_config": f"cuts singular values away and {_OTHER_WEIGHTS}",
    "alora_invocation_tokens": "makes an adapter that works after some tokens only: it cannot be "
    "merged, and TRL's padded batches hide where it begins",
    "arrow_config": "routes between adapters that were trained before, and a stage trains one",
    "use_qalora": "is for weights in GPTQ, on which nothing is trained here",
    "qalora_group_size": "belongs to use_qalora, which is for weights in GPTQ",
    "megatron_config": _OF_MEGATRON,
    "megatron_core": _OF_MEGATRON,
    "runtime_config": "moves layers between CPU and GPU, and a stage keeps them on one device",
}
# settings of adapters from elsewhere that can be measured, and not be trained on
_NOT_TRAINED_ON = ("alora_invocation_tokens", "arrow_config", "kasa_config", "layer_replication")
_NUMBERS = {"r": int, "lora_alpha": int, "lora_dropout": float}
_TASK = "CAUSAL_LM"
# what other tools, and people, call them
_ALSO_CALLED = {"rank": "r", "lora_r": "r", "lora_rank": "r", "targets": "target_modules"}


def check_lora(lora: dict[str, Any]) -> None:
    """Raise ValueError in a sentence where peft would not take the settings, or they could not keep
    their word.
    """

    def build() -> None:
        lora_config(lora)

    remembered("lora", lora, build)


def check_beside_reference(stage: str, lora: dict[str, Any]) -> None:
    """Raise ValueError where a stage with a reference policy could not have these settings: the
    reference is a second adapter.
    """
    bias = lora.get("bias", "none")
    if bias != "none":
        raise ValueError(
            f"Recipe section 'lora': bias is '{bias}', and stage '{stage}' measures its policy "
            "against a frozen copy of the adapter. peft allows biases in one adapter only: leave "
            "bias out, or say bias: none in the `lora` of that stage."
        )


def check_goes_on(stage: str, adapter: str, given: dict[str, Any], has_reference: bool) -> None:
    """Raise ValueError where a stage cannot go on with an adapter from elsewhere, which was made
    with the settings `given`.
    """
    refused = [name for name in _NOT_TRAINED_ON if given.get(name)]
    targets = given.get("target_modules")
    # a regular expression is looked at on the model
    if isinstance(targets, list) and "lm_head" in targets:
        refused.append("target_modules: lm_head")
    if has_reference and given.get("bias", "none") != "none":
        refused.append(f"bias: {given['bias']}")
    if refused:
        raise ValueError(
            f"Stage '{stage}' would go on with the adapter at '{adapter}', whose settings say "
            f"{refused[0]}: training it here would start from another model, or measure it against "
            "another one. Merge it and name the merged folder with `model`."
        )


def is_principal(lora: dict[str, Any]) -> bool:
    """Say whether the adapter begins with a part of the weights (PiSSA, OLoRA)."""
    return begins_with_weights(lora.get("init_lora_weights"))


def begins_with_weights(initialised: object) -> bool:
    """Say whether an `init_lora_weights` begins with a part of the weights."""
    return isinstance(initialised, str) and re.fullmatch(_PRINCIPAL, initialised) is not None


def changes_the_base(initialised: object) -> bool:
    """Say whether peft, loading an adapter with this `init_lora_weights`, puts other weights below
    it.
    """
    return isinstance(initialised, str) and initialised.lower().startswith(_CHANGE_THE_BASE)


def as_stored(lora: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the adapter that a stage saves: plain LoRA, whose rank is twice that
    of the settings where it began with a part of the weights.
    """
    if not is_principal(lora):
        return lora
    return {**lora, "r": 2 * lora.get("r", 8), "init_lora_weights": True}


def numbers_in_strings(lora: dict[str, Any]) -> dict[str, Any]:
    """Return settings in which numbers that YAML left as strings are numbers, as in `args`."""
    return {name: _number(name, value) for name, value in lora.items()}


def lora_config(lora: dict[str, Any]) -> Any:
    """Build peft's LoraConfig. Raises ValueError in a sentence for what it does not take."""
    from peft import LoraConfig

    if type(lora.get("r", 8)) is not int or lora.get("r", 8) < 1:
        raise _refusal(f"r is {lora['r']!r}, it must be a whole number of 1 or more.")
    check_numbers(lora, LORA, "Recipe section 'lora': ")
    known = [field.name for field in fields(LoraConfig)]
    for name in lora:
        if name not in known:
            near = nearest(name, known, _ALSO_CALLED)
            hint = "." if near is None else f"; did you mean '{near}'?"
            raise _refusal(f"LoraConfig has no argument '{name}'{hint}")
    _refuse(lora)
    try:
        return LoraConfig(**{**lora, "task_type": _TASK})
    except (TypeError, ValueError) as error:
        reason = str(error).removeprefix("LoraConfig.__init__() ").rstrip(".")
        raise _refusal(f"LoraConfig {reason}.") from error


def _refuse(lora: dict[str, Any]) -> None:
    for name, reason in REFUSED.items():
        if lora.get(name) not in (None, False):
            raise _refusal(f"{name} {reason}. Leave it out.")
    if lora.get("task_type") not in (None, _TASK):
        raise _refusal(
            f"task_type is {lora['task_type']!r}, and stages train language models: leave it out, "
            f"or say {_TASK}."
        )
    initialised = lora.get("init_lora_weights", True)
    if not begins_with_weights(initialised) and initialised not in _PLAIN:
        reason = _NOT_INITIALISED.get(str(initialised), "is nothing that can be used here")
        raise _refusal(
            f"init_lora_weights is {initialised!r}, which {reason}. It can be true, gaussian, "
            "orthogonal, mica, pissa, pissa_niter_16 or olora."
        )
    targets = lora.get("target_modules")
    if not isinstance(targets, str) and "lm_head" in (targets or []):
        raise _refusal(
            "target_modules names lm_head, and TRL reads that layer's weights without an adapter. "
            "Take it out, or train the whole layer: modules_to_save: [lm_head]."
        )


def _refusal(problem: str) -> ValueError:
    return ValueError(f"Recipe section 'lora': {problem}")


def _number(name: str, value: Any) -> Any:
    if name not in _NUMBERS or not isinstance(value, str):
        return value
    try:
        return _NUMBERS[name](value)
    except ValueError:
        return value
