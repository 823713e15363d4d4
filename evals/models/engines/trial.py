"""Whether a model computes the same in slots as by itself, tried out on a few tokens.

Configurations do not say what a model makes of a mask with four dimensions, of positions that
differ by row, or of a cache that is not transformers' own.
"""

import logging
from typing import TYPE_CHECKING

import torch

from stagelift.evals.models.engines.endings import Ending
from stagelift.evals.models.engines.rows import Row
from stagelift.evals.models.engines.slots import Slots

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_log = logging.getLogger(__name__)
# how far logits may lie apart, by the largest of them: rounding, and no more
_ROUNDING = {torch.float32: 1e-3}
_ROUNDING_IN_16_BITS = 0.05


def works_in_slots(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Compare the logits after two prompts that begin alike and differ in length."""
    vocabulary = int(model.config.get_text_config().vocab_size)
    tokens = [7 * place % vocabulary for place in range(1, 25)]
    prompts = [(*tokens[:4], *tokens[4:14]), (*tokens[:4], *tokens[14:19])]
    nothing = Ending(frozenset(), (), 1, tokenizer)
    try:
        with torch.inference_mode():
            theirs = torch.cat([_logits(model, prompt) for prompt in prompts])
            ours = Slots(model, 2).logits_of([Row(prompt, nothing, 0.0, []) for prompt in prompts])
    except Exception as error:  # noqa: BLE001 - models raise many kinds
        _log.info("The model does not work in slots: %r", error)
        return False
    apart = (ours - theirs).abs().max() / theirs.abs().max()
    return bool(apart < _ROUNDING.get(model.dtype, _ROUNDING_IN_16_BITS))


def _logits(model: "PreTrainedModel", prompt: tuple[int, ...]) -> torch.Tensor:
    output = model(input_ids=torch.tensor([prompt], device=model.device))
    logits: torch.Tensor = output.logits[:, -1].float()
    return logits
