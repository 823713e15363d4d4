"""The reference policy: a frozen copy of the adapter as it came in, which TRL calls `ref`.

TRL adds it with the settings of the adapter that is trained, and copies the weights whose names
have `.default.` inside. Those of embeddings and of single tokens end in `.default` and would start
anew, so that the reference were another model than the one that came in.
"""

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from peft import PeftModel


def copied_whole(policy: "PeftModel") -> None:
    """Let every adapter that is added to a policy begin as a copy of the one that is trained."""
    add = policy.add_adapter

    def add_copy(name: str, config: Any, **more: Any) -> None:
        add(name, config, **more)
        weights = dict(policy.named_parameters())
        with torch.no_grad():
            for own, weight in weights.items():
                if "default" in own.split("."):
                    weights[_renamed(own, name)].copy_(weight)

    # TRL calls the policy's own method, and has no hook for it
    policy.add_adapter = add_copy


def _renamed(weight: str, adapter: str) -> str:
    return ".".join(adapter if part == "default" else part for part in weight.split("."))
