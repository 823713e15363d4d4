"""Whether a model has what an adapter's settings name, and can be trained with it.

peft takes a list of targets where any of them is there, and patterns that match nothing.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stagelift.evals.nearest import nearest
from stagelift.stages.lora_settings import begins_with_weights

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel


def check_targets(policy: "PeftModel", config: "LoraConfig") -> None:
    """Raise ValueError, in a sentence, where an adapter with these settings is not what they say on
    the model it was put on, weights or not.
    """
    _check_names(policy, config)
    _check_layers(policy, config)
    _check_tokens(policy, config)
    _check_output_layer(policy)
    _check_bias(policy, config)
    if begins_with_weights(config.init_lora_weights):
        _check_principal(policy, config)


def _check_names(policy: "PeftModel", config: "LoraConfig") -> None:
    base = policy.get_base_model()
    modules = [_plain(name) for name, _ in base.named_modules()]
    targeted = policy.base_model.targeted_module_names
    listed = [] if isinstance(config.target_modules, str) else sorted(config.target_modules or [])
    if config.exclude_modules:
        # what is excluded altogether is there, and not targeted
        targeted = modules
    for setting, names, there in (
        ("target_modules", listed, targeted),
        ("modules_to_save", config.modules_to_save or [], modules),
        ("target_parameters", config.target_parameters or [], _parameters(base)),
    ):
        for name in names:
            if not any(_ends_in(place, name) for place in there):
                raise ValueError(f"{setting} names '{name}', and {_instead(name, modules)}")
    for setting, patterns in (
        ("rank_pattern", config.rank_pattern or {}),
        ("alpha_pattern", config.alpha_pattern or {}),
    ):
        for pattern in patterns:
            if not any(re.match(rf"(.*\.)?({pattern})$", place) for place in targeted):
                raise ValueError(f"{setting} names '{pattern}', and no targeted layer matches it")


def _check_layers(policy: "PeftModel", config: "LoraConfig") -> None:
    chosen = config.layers_to_transform
    listed = [chosen] if isinstance(chosen, int) else chosen or []
    for layer in listed:
        if not any(f".{layer}." in place for place in policy.base_model.targeted_module_names):
            raise ValueError(
                f"layers_to_transform names layer {layer}, and no targeted layer has that number "
                f"(the model has {policy.config.get_text_config().num_hidden_layers}, from 0 on)"
            )


def _check_tokens(policy: "PeftModel", config: "LoraConfig") -> None:
    chosen = config.trainable_token_indices or []
    lists = chosen.values() if isinstance(chosen, dict) else [chosen]
    vocabulary = policy.config.get_text_config().vocab_size
    for token in [token for tokens in lists for token in tokens]:
        if not 0 <= token < vocabulary:
            raise ValueError(
                f"trainable_token_indices names token {token}, and the vocabulary has {vocabulary}"
            )


def _check_output_layer(policy: "PeftModel") -> None:
    """TRL multiplies with the output layer's weights itself, past an adapter on them."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import TrainableTokensWrapper

    if isinstance(policy.get_output_embeddings(), (BaseTunerLayer, TrainableTokensWrapper)):
        raise ValueError(
            "it would lie on the output layer (lm_head, also where embeddings are tied to it), and "
            "TRL reads that layer's weights without an adapter: leave it out, or train the whole "
            "layer with modules_to_save"
        )


def _check_bias(policy: "PeftModel", config: "LoraConfig") -> None:
    from peft.tuners.lora import LoraLayer

    layers = [
        (name.rpartition(".")[2], module)
        for name, module in policy.named_modules()
        if isinstance(module, LoraLayer)
    ]
    for name, layer in layers if config.lora_bias else []:
        if getattr(layer.get_base_layer(), "bias", None) is None:
            raise ValueError(
                f"lora_bias needs layers with a bias, to be merged into, and '{name}' has none"
            )


def _check_principal(policy: "PeftModel", config: "LoraConfig") -> None:
    """PiSSA and OLoRA take their part from a matrix, and no more than there is of it."""
    from peft.tuners.lora import Linear, LoraLayer

    for place, layer in policy.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        name = place.rpartition(".")[2]
        if not isinstance(layer, Linear):
            raise ValueError(
                f"init_lora_weights: {config.init_lora_weights} is for linear layers, and '{name}' "
                "is none: leave that layer out, or the setting"
            )
        widest = min(layer.get_base_layer().weight.shape)
        if layer.r["default"] > widest:
            raise ValueError(
                f"init_lora_weights: {config.init_lora_weights} takes r parts of a layer's "
                f"weights, and '{name}' has {widest}: lower r"
            )


def _plain(name: str) -> str:
    """Return a module's name as it was before an adapter was put on it."""
    return re.sub(r"\.(base_layer|original_module|modules_to_save.*|token_adapter.*)$", "", name)


def _parameters(base: Any) -> list[str]:
    return [re.sub(r"\.base_layer\.", ".", name) for name, _ in base.named_parameters()]


def _ends_in(place: str, name: str) -> bool:
    return place == name or place.endswith(f".{name}")


def _instead(name: str, modules: Iterable[str]) -> str:
    last = {place.rpartition(".")[2] for place in modules}
    near = nearest(name, sorted(last - {"", "default"}))
    hint = "" if near is None else f"; did you mean '{near}'?"
    return f"the model has no such layer{hint}"
