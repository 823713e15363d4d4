"""A model as it is used for inference: adapters merged, linear layers laid out for this CPU.

The copy shares with the model all weights that it does not change, so it costs little memory, and
the model stays as it is: a policy in training, for instance.
"""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# what stands for a module; None: a copy of itself
Replace = Callable[[nn.Module], nn.Module | None]


def inference_copy(model: "PreTrainedModel") -> "PreTrainedModel":
    """Return the model for inference.

    In float32 adapters are merged into the layers below them. In 16 bits they are not: rounding
    would change as much as a DPO step does.
    """
    from peft import PeftModel

    if isinstance(model, PeftModel) and not model.active_peft_config.is_prompt_learning:
        model = model.get_base_model()
    return copied(model, _merged)


def copied(module: nn.Module, replace: Replace) -> nn.Module:
    """Copy a tree of modules, in evaluation mode, with the same weights; `replace` some of them."""
    known: dict[int, nn.Module] = {}

    def copy_of(module: nn.Module) -> nn.Module:
        if id(module) not in known:
            known[id(module)] = replace(module) or _alike(module)
        return known[id(module)]

    def _alike(module: nn.Module) -> nn.Module:
        twin = copy.copy(module)
        twin.training = False
        twin._modules = {
            name: None if child is None else copy_of(child)
            for name, child in module._modules.items()
        }
        return twin

    return copy_of(module)


def _merged(module: nn.Module) -> nn.Module | None:
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(module, BaseTunerLayer):
        return None
    if module.get_base_layer().weight.dtype != torch.float32:
        return None
    layer = copy.deepcopy(module)
    layer.merge()
    return layer.get_base_layer()
