"""Supervised fine-tuning: TRL's SFTTrainer on the carried adapter; the loss is on the completion
only.
"""

from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import SFTTrainer


def trainer(
    model: PeftModel, config: Any, rows: Dataset, tokenizer: PreTrainedTokenizerBase
) -> Any:
    """Build the trainer; `completion_only_loss` is TRL's own choice for prompt/completion rows."""
    return SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
