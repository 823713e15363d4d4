"""PiSSA and OLoRA on the weights as they are.

Both begin with a part of the weights in the adapter, `B0 A0`, which peft takes out of the weights
below. Then the adapter means nothing on other weights: not where it is loaded again, not beside a
second one, and in 16 bits the weights are rounded once more. Here the weights stay. The adapter has
twice the rank; its second half is `-B0 A0` and is held as it is while the first half learns. That
is the same model and the same gradients, and a plain LoRA adapter wherever it is loaded. (Only
dropout differs: it falls on what was learnt, not on a part of the weights.)

PiSSA: Meng et al. 2024, arXiv 2404.02948. OLoRA: Büyükakyüz 2024, arXiv 2406.01775.
"""

import copy
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from peft import get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import TrainerCallback

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel


def with_principal_adapter(base: "PreTrainedModel", config: "LoraConfig") -> Any:
    """Put an adapter on a model that begins as `config.init_lora_weights` says."""
    policy = get_peft_model(base, _twice_as_wide(config))
    for layer in _layers(policy):
        _begin(layer, str(config.init_lora_weights))
    return policy


def hold_second_half(policy: torch.nn.Module) -> None:
    """Give the second half of the adapter no gradient."""
    for layer in _layers(policy):
        rank = layer.r["default"] // 2
        layer.lora_A["default"].weight.register_hook(lambda grad, r=rank: _first(grad, 0, r))
        layer.lora_B["default"].weight.register_hook(lambda grad, r=rank: _first(grad, 1, r))


class SecondHalfHeld(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for mypy here
    """Puts the second half back after each step: weight decay shrinks what has no gradient, too."""

    def __init__(self, policy: torch.nn.Module) -> None:
        self.policy = policy
        self.held: list[tuple[torch.Tensor, torch.Tensor]] = []

    def on_train_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Remember it as it is when training begins or goes on."""
        halves = [half for layer in _layers(self.policy) for half in _second_halves(layer)]
        self.held = [(half, half.clone()) for half in halves]

    def on_optimizer_step(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Put it back."""
        for half, before in self.held:
            half.copy_(before)


def _twice_as_wide(config: "LoraConfig") -> "LoraConfig":
    """Return the settings with twice the rank and the same scale."""
    wide = copy.deepcopy(config)
    factor = math.sqrt(2) if config.use_rslora else 2
    wide.init_lora_weights = True
    wide.r = 2 * config.r
    # a fraction where scales go with the root of the rank
    wide.lora_alpha = config.lora_alpha * factor
    wide.rank_pattern = {name: 2 * rank for name, rank in (config.rank_pattern or {}).items()}
    wide.alpha_pattern = {
        name: alpha * factor for name, alpha in (config.alpha_pattern or {}).items()
    }
    return wide


def _begin(layer: Any, how: str) -> None:
    """Let peft compute `A0` and `B0`, and put back the weights that it takes them from."""
    weight, rank = layer.get_base_layer().weight, layer.r["default"]
    # OLoRA subtracts in place
    before = weight.data.clone()
    layer.r["default"] = rank // 2
    if how == "olora":
        layer.olora_init("default")
    else:
        layer.pissa_init("default", how)
    layer.r["default"] = rank
    weight.data = before
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    down.data = torch.cat([down.data, down.data])
    up.data = torch.cat([up.data, -up.data], dim=1)


def _layers(policy: torch.nn.Module) -> Iterator[Any]:
    for module in policy.modules():
        if isinstance(module, LoraLayer) and "default" in module.lora_A:
            yield module


def _first(gradient: torch.Tensor, axis: int, count: int) -> torch.Tensor:
    """Return a gradient that is zero behind the first so many rows or columns."""
    held = gradient.clone()
    held.narrow(axis, count, gradient.shape[axis] - count).zero_()
    return held


def _second_halves(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    rank = layer.r["default"] // 2
    down, up = layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data
    return down[rank:], up[:, rank:]
