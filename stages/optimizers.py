"""Optimisers that are bitsandbytes' own, such as `paged_adamw_8bit`: they keep their moments in 8
bits, or where the GPU's memory can overflow to.
"""

from typing import Any

# of transformers' `OptimizerNames`
_THEIRS = {
    *("adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit", "paged_adamw_32bit"),
    *("ademamix", "ademamix_8bit", "paged_ademamix_8bit", "paged_ademamix_32bit"),
    *("lion_8bit", "lion_32bit", "paged_lion_8bit", "paged_lion_32bit"),
    *("rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit"),
}


def check_optimizer(kind: str, args: dict[str, Any], *, installed: bool) -> None:
    """Raise ValueError in a sentence where a stage's optimiser needs bitsandbytes, and that is not
    `installed`.
    """
    optimizer = str(args.get("optim", ""))
    if optimizer in _THEIRS and not installed:
        raise ValueError(
            f"Stage '{kind}': optim is '{optimizer}', which needs the package bitsandbytes, and it "
            "is not installed: pip install bitsandbytes. Or leave optim out."
        )
