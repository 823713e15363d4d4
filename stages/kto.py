"""Kahneman-Tversky optimisation: TRL's KTOTrainer, on answers that are labelled desirable or not.

The reference is the previous stage: given no `ref_model`, TRL freezes a copy of the adapter as it
came in.

TRL takes rows in the order they come, and estimates the KL divergence of a batch from each prompt
with its neighbour's answer. Unpaired by TRL, a thousand desirable answers would come before the
first undesirable one; unpaired one by one, half of the neighbours would be answers to the same
prompt. So rows are shuffled first, by the seed.
"""

from typing import TYPE_CHECKING, Any

from stagelift.evals.data.pairs import rejected_answer
from stagelift.evals.data.turns import BESIDE
from stagelift.stages.kind import Kind, Row, RowCost
from stagelift.stages.rows.turns import answered, asked

if TYPE_CHECKING:
    from datasets import Dataset

_LABELLED = ("prompt", "completion", "label")
_PAIRED = ("prompt", "chosen", "rejected")
# read by TRL too; it refuses images for models that see none
_BESIDE = (*BESIDE, "image", "images")


def _good_and_bad(question: str, answer: str) -> list[Row]:
    """Label the worked answer desirable, and a plausible wrong or a rambling one undesirable."""
    rejected = rejected_answer(question, answer)
    return [
        {"prompt": asked(question), "completion": answered(answer), "label": True},
        {"prompt": asked(question), "completion": answered(rejected), "label": False},
    ]


def _unpaired(rows: "Dataset", _args: dict[str, Any]) -> "Dataset":
    """Make two rows of each pair; the prompt may stand in both answers, as TRL has it.

    Columns that are for others go: TRL would unpair labelled rows by their `chosen` and `rejected`,
    and take a text for a conversation, or not, by whichever column it meets first.
    """
    from trl import extract_prompt, unpair_preference_dataset

    if set(_LABELLED) <= set(rows.column_names):
        return _with(rows, _LABELLED)
    if "prompt" not in rows.column_names:
        rows = rows.map(extract_prompt)
    return unpair_preference_dataset(_with(rows, _PAIRED))


def _with(rows: "Dataset", columns: tuple[str, ...]) -> "Dataset":
    taken = {*columns, *_BESIDE}
    return rows.select_columns([name for name in rows.column_names if name in taken])


def _settled(config: Any, _given: dict[str, Any], processes: int) -> dict[str, Any]:
    """Refuse what leaves nothing to learn, no batch to estimate KL from, or another one."""
    if config.beta <= 0:
        raise ValueError(
            f"args.beta is {config.beta:g}, and must be above 0: the loss is a function of beta "
            "times a margin. 0.1 is usual."
        )
    if not _estimates_kl(config):
        return {}
    if processes > 1:
        raise ValueError(
            "KTO estimates KL from the batch of one process, so several would train it in another "
            "way. Give the launcher to other stages only, or set loss_type to apo_zero_unpaired."
        )
    if config.per_device_train_batch_size < 2:
        raise ValueError(
            "KTO estimates KL from the other answers of a batch: make per_device_train_batch_size "
            "2 or more."
        )
    if config.train_sampling_strategy != "sequential":
        raise ValueError(
            f"KTO's KL needs batches as they were put together, but train_sampling_strategy is "
            f"{config.train_sampling_strategy}: leave it out, rows are shuffled before."
        )
    return {}


def _estimates_kl(config: Any) -> bool:
    return bool(config.loss_type != "apo_zero_unpaired")


def _of_a_batch(config: Any) -> str | None:
    return "KTO estimates KL from the other answers of a batch" if _estimates_kl(config) else None


def _trainer(train_dataset: "Dataset", args: Any, **arguments: Any) -> Any:
    from trl import KTOTrainer

    shuffled = train_dataset.shuffle(seed=args.seed)
    return KTOTrainer(train_dataset=shuffled, args=args, **arguments)


def _cost(config: Any) -> RowCost:
    # through the reference; for KL a neighbour's answer, through policy and reference
    forwards = 3 if _estimates_kl(config) else 1
    return RowCost(limit=config.max_length, forwards=forwards)


KTO = Kind(
    name="kto",
    config="KTOConfig",
    settle=_settled,
    of_a_batch=_of_a_batch,
    # a prompt that is there is read, so it is checked
    formats=(_LABELLED, _PAIRED, ("chosen", "rejected")),
    from_problem=_good_and_bad,
    makes_pairs=True,
    texts=("prompt", "completion"),
    flags=("label",),
    prepare=_unpaired,
    trainer=_trainer,
    has_reference=lambda _: True,
    cost=_cost,
)
