"""Whether the weights that are trained are still finite numbers."""

from typing import Any


class LostWeights(Exception):
    """Trained weights are no longer finite, and nothing from before is kept."""


def are_finite(model: Any) -> bool:
    """Say whether every weight that is trained is a finite number."""
    import torch

    learning = (weights for weights in model.parameters() if weights.requires_grad)
    return all(bool(torch.isfinite(weights).all()) for weights in learning)
