"""Direct preference optimisation: TRL's DPOTrainer.

The reference is the previous stage: given no `ref_model`, TRL freezes a copy of the adapter as it
came in.
"""

from typing import Any

from stagelift.evals.data.pairs import rejected_answer
from stagelift.stages.kind import Kind, Row, RowCost
from stagelift.stages.rows.turns import answered, asked


def _pair(question: str, answer: str) -> list[Row]:
    """Pair the worked answer with a plausible wrong or a rambling one."""
    rejected = rejected_answer(question, answer)
    return [{"prompt": asked(question), "chosen": answered(answer), "rejected": answered(rejected)}]


def _trainer(**arguments: Any) -> Any:
    from trl import DPOTrainer

    return DPOTrainer(**arguments)


def _cost(config: Any) -> RowCost:
    # two answers, and each passes through the reference as well
    return RowCost(sequences=2, limit=config.max_length, forwards=1)


DPO = Kind(
    name="dpo",
    config="DPOConfig",
    formats=(("chosen", "rejected"),),
    from_problem=_pair,
    texts=("prompt", "chosen", "rejected"),
    trainer=_trainer,
    cost=_cost,
)
