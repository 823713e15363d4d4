"""Direct preference optimisation: TRL's DPOTrainer.

The reference is the previous stage: given no `ref_model`, TRL freezes a copy of the adapter as it
came in.
"""

from typing import TYPE_CHECKING, Any

from stagelift.evals.data.pairs import rejected_answer
from stagelift.stages.kind import Kind, Row, RowCost
from stagelift.stages.rows.turns import answered, asked

if TYPE_CHECKING:
    from datasets import Dataset


def _pair(question: str, answer: str) -> list[Row]:
    """Pair the worked answer with a plausible wrong or a rambling one."""
    rejected = rejected_answer(question, answer)
    return [{"prompt": asked(question), "chosen": answered(answer), "rejected": answered(rejected)}]


def _settled(config: Any, _given: dict[str, Any], _processes: int) -> dict[str, Any]:
    """Refuse what leaves nothing to learn: the losses are functions of beta times a margin."""
    if config.beta <= 0:
        raise ValueError(
            f"args.beta is {config.beta:g}, and must be above 0: every loss is a function of beta "
            "times a margin. 0.1 is usual."
        )
    if "exo_pair" in config.loss_type and config.label_smoothing <= 0:
        raise ValueError(
            f"args.label_smoothing is {config.label_smoothing:g}, and must be above 0 for the loss "
            "exo_pair: its paper recommends 1e-3."
        )
    return {}


# they sort a batch, keep a running mean over batches, or count the tokens of a batch
_OF_A_BATCH = ("aot", "aot_unpaired", "bco_pair", "sft")


def _of_a_batch(config: Any) -> str | None:
    loss = next((loss for loss in config.loss_type if loss in _OF_A_BATCH), None)
    return None if loss is None else f"the loss {loss} is one of all rows in a batch together"


def _with_prompt(rows: "Dataset", _args: dict[str, Any]) -> "Dataset":
    """Take the prompt out of answers that both begin with it, as TRL would."""
    if "prompt" in rows.column_names:
        return rows
    from trl import extract_prompt

    return rows.map(extract_prompt)


def _trainer(**arguments: Any) -> Any:
    from trl import DPOTrainer

    return DPOTrainer(**arguments)


def _cost(config: Any) -> RowCost:
    # two answers, and each passes through the reference as well
    return RowCost(sequences=2, limit=config.max_length, forwards=1)


DPO = Kind(
    name="dpo",
    config="DPOConfig",
    settle=_settled,
    of_a_batch=_of_a_batch,
    formats=(("chosen", "rejected"),),
    from_problem=_pair,
    makes_pairs=True,
    texts=("prompt", "chosen", "rejected"),
    prepare=_with_prompt,
    trainer=_trainer,
    has_reference=lambda _: True,
    cost=_cost,
)
