"""A model as it is used for inference: adapters merged, linear layers packed for this CPU.

The model stays as it is: it may be a policy in training. The copy shares its weights where they are
used as they are, unless layers are packed: then it is a model of its own, and the other can go.
"""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from stagelift.evals.models.engines.packed import PackedLinear, packing_wins
from stagelift.evals.models.four_bit import in_full

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def inference_copy(model: "PreTrainedModel", *, pack: bool) -> "PreTrainedModel":
    """Return a model that computes the same in evaluation mode; `pack` layers where that wins.

    In float32 adapters are merged into the layers below them. In 16 bits they are not: rounding
    would change as much as a DPO step does. On a CPU weights in 4 bits are de-quantised once rather
    than in each product, to the same numbers.
    """
    from peft import PeftModel

    on_cpu = model.device.type == "cpu"
    if needs_peft(model):
        return _copied(model, in_full if on_cpu else lambda _module: None, {}, own=False)
    whole = model.get_base_model() if isinstance(model, PeftModel) else model
    packs = pack and packing_wins(model.device, model.dtype)
    of_adapters = _parts_of_adapters(whole) if packs else set()

    def replaced(module: nn.Module) -> nn.Module | None:
        merged = (in_full(module) if on_cpu else None) or _merged(module)
        packable = packs and id(module) not in of_adapters
        if packable and type(merged) is nn.Linear and merged.weight.dtype == model.dtype:
            return PackedLinear(merged)
        return None if merged is module else merged

    return _copied(whole, replaced, {}, own=packs)


def needs_peft(model: "PreTrainedModel") -> bool:
    """Say whether an adapter works only inside peft's model: learnt prompts, and adapters that
    begin at some token of the text (aLoRA).
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return False
    config = model.active_peft_config
    return config.is_prompt_learning or bool(getattr(config, "alora_invocation_tokens", None))


def _parts_of_adapters(model: nn.Module) -> set[int]:
    """Return the layers of adapters, by id: peft looks at their weights."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [layer for layer in model.modules() if isinstance(layer, BaseTunerLayer)]
    parts = [getattr(layer, name) for layer in layers for name in layer.adapter_layer_names]
    within = [part.modules() for part in parts if isinstance(part, nn.Module)]
    return {id(module) for modules in within for module in modules}


def _merged(module: nn.Module) -> nn.Module:
    """Return the layer with its adapter in it; what has none, or 16 bits, as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(module, BaseTunerLayer) or not _is_float32(module.get_base_layer()):
        return module
    layer = copy.deepcopy(module)
    layer.merge()
    base: nn.Module = layer.get_base_layer()
    _own_forward(base)
    return base


def _own_forward(module: nn.Module) -> None:
    """Drop a `forward` that was put on the original, which it would go on computing with."""
    vars(module).pop("forward", None)


def _is_float32(layer: nn.Module) -> bool:
    # experts keep theirs under other names
    return getattr(getattr(layer, "weight", None), "dtype", None) == torch.float32


def _copied(
    module: nn.Module,
    replaced: Callable[[nn.Module], nn.Module | None],
    known: dict[int, nn.Module],
    *,
    own: bool,
) -> nn.Module:
    """Copy a tree of modules; a module that is there twice stays one.

    With weights of its `own` it keeps nothing of the other's alive, such as the file they are in.
    """
    if id(module) not in known:
        twin = replaced(module)
        if twin is None:
            twin = copy.copy(module)
            twin.training = False
            _own_forward(twin)
            # some models and adapters replace theirs while they run
            twin._buffers = dict(module._buffers)
            twin._parameters = _own_weights(module) if own else dict(module._parameters)
            twin._modules = {
                name: None if child is None else _copied(child, replaced, known, own=own)
                for name, child in module._modules.items()
            }
        known[id(module)] = twin
    return known[id(module)]


def _own_weights(module: nn.Module) -> dict[str, nn.Parameter | None]:
    return {
        name: None if weight is None else nn.Parameter(weight.detach().clone(), False)
        for name, weight in module._parameters.items()
    }
