"""Direct preference optimisation: TRL's DPOTrainer; the reference is the previous stage (the
adapter as it came in).
"""

from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import DPOTrainer


def trainer(
    model: PeftModel, config: Any, rows: Dataset, tokenizer: PreTrainedTokenizerBase
) -> Any:
    """Build the trainer; with no `ref_model`, TRL freezes a copy of the incoming adapter as the
    reference.
    """
    return DPOTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
