"""An adapter merged into the weights below it, in their dtype, and whether that is the same model.

Where the output layer is the embedding, an adapter on one of them would be merged into both: it is
given weights of its own first, and they are one again afterwards where they are equal.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from stagelift.evals.models import pretrained

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# of the largest score: what sums in another order make of float32 is a hundred times less
_TOLERANCE = 1e-3
_PROBE_TOKENS = 32


def merged_alike(model: "PreTrainedModel", adapter: str | Path) -> "PreTrainedModel":
    """Merge an adapter into a model in float32, which is changed.

    Raises ValueError in a sentence where the merged model gives other scores than the two did.
    """
    import torch

    probe = torch.arange(_PROBE_TOKENS)[None] % model.get_input_embeddings().num_embeddings
    are_tied = _untied(model)
    policy = pretrained.with_adapter(model, adapter).eval()
    before = _scores(policy, probe)
    merged: PreTrainedModel = policy.merge_and_unload()
    if are_tied:
        _tie_again(merged)
    apart = (_scores(merged.eval(), probe) - before).abs().max()
    if not apart <= _TOLERANCE * before.abs().max():
        raise ValueError(
            f"The adapter at '{adapter}' makes another model when it is merged: scores of tokens "
            f"differ by up to {apart:.3g}, and the largest is {before.abs().max():.3g}. Deploy it "
            "as an adapter."
        )
    return merged


def _scores(model: "PreTrainedModel", tokens: "torch.Tensor") -> "torch.Tensor":
    import torch

    with torch.no_grad():
        scores: torch.Tensor = model(input_ids=tokens.to(model.device)).logits
    return scores


def _untied(model: "PreTrainedModel") -> bool:
    """Give the output layer weights of its own; say whether it had none."""
    import torch

    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None or head.weight is not embedding.weight:
        return False
    head.weight = torch.nn.Parameter(embedding.weight.detach().clone())
    return True


def _tie_again(model: "PreTrainedModel") -> None:
    """Make equal weights one again; others would be read back as one, did the config say so."""
    import torch

    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    are_equal = torch.equal(embedding.weight, head.weight)
    if are_equal:
        head.weight = embedding.weight
    # peft looks whether they are one tensor, and writes that they are not
    for settings in (model.config, model.config.get_text_config()):
        settings.tie_word_embeddings = are_equal
