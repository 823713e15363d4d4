"""Supervised fine-tuning: TRL's SFTTrainer on the carried adapter.

The loss is on the completion only, which is TRL's own choice for prompt/completion rows. A
conversation (`messages`) becomes its last assistant turn after all that came before, because TRL
would also train on the user's words; with `assistant_only_loss: true` it stays whole.
"""

from typing import TYPE_CHECKING, Any

from stagelift.evals.data.turns import BESIDE
from stagelift.stages.kind import Kind, Row, RowCost
from stagelift.stages.rows.turns import answered, asked

if TYPE_CHECKING:
    from datasets import Dataset


def _completion(question: str, answer: str) -> list[Row]:
    return [{"prompt": asked(question), "completion": answered(answer)}]


def _last_turns(rows: "Dataset", args: dict[str, Any]) -> "Dataset":
    if "messages" not in rows.column_names or args.get("assistant_only_loss"):
        return rows
    unread = [name for name in rows.column_names if name not in BESIDE]
    return rows.filter(_ends_with_assistant).map(_last_turn, remove_columns=unread)


def _ends_with_assistant(row: Row) -> bool:
    return len(row["messages"]) > 1 and row["messages"][-1]["role"] == "assistant"


def _last_turn(row: Row) -> Row:
    return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}


def _trainer(**arguments: Any) -> Any:
    from trl import SFTTrainer

    return SFTTrainer(**arguments)


def _cost(config: Any) -> RowCost:
    return RowCost(limit=config.max_length)


SFT = Kind(
    name="sft",
    config="SFTConfig",
    formats=(("messages",), ("prompt", "completion"), ("text",)),
    from_problem=_completion,
    texts=("messages", "prompt", "completion", "text"),
    prepare=_last_turns,
    row_args=("assistant_only_loss",),
    hid_tools=("messages",),
    trainer=_trainer,
    cost=_cost,
)
