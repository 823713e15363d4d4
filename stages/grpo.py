"""Group relative policy optimisation: TRL's GRPOTrainer; with `beta` > 0 the KL reference is the
previous stage.
"""

from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import GRPOTrainer

from stagelift.stages.rewards import load_reward


def trainer(
    model: PeftModel,
    config: Any,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    rewards: list[str],
) -> Any:
    """Build the trainer with its reward functions."""
    return GRPOTrainer(
        model=model,
        reward_funcs=[load_reward(name) for name in rewards],
        args=config,
        train_dataset=rows,
        processing_class=tokenizer,
    )
