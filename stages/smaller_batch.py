"""A batch that memory does not hold, in parts: each step learns from the same rows, fewer of them
at a time, and gradients are summed over as many more batches.

It is no part of what a stage is: sums are made in another order, as on another device, so a result
may differ in its last digits. Losses that depend on which rows are in a batch together would be
other trainings, and are left alone (`Method.of_a_batch`).
"""

from typing import Any

from stagelift.evals.records import SmallerBatch
from stagelift.stages.kind import Method

ROWS = "per_device_train_batch_size"
_ACCUMULATED = "gradient_accumulation_steps"
_GENERATING = "steps_per_generation"


def parts_of(batch: SmallerBatch | None) -> int:
    """Return in how many parts a batch is taken; 1 where memory has held it."""
    return 1 if batch is None else batch.parts


def in_parts(given: dict[str, Any], usual: dict[str, Any], parts: int) -> dict[str, Any]:
    """Return the arguments of one process, for as many rows a step in so many times as many
    batches; `usual` holds TRL's own values.
    """
    if parts == 1:
        return given
    accumulated = given.get(_ACCUMULATED, usual[_ACCUMULATED])
    fewer = {ROWS: given.get(ROWS, usual[ROWS]) // parts, _ACCUMULATED: accumulated * parts}
    # TRL's own is as many as are accumulated
    if given.get(_GENERATING) is not None:
        fewer[_GENERATING] = given[_GENERATING] * parts
    return given | fewer


def smaller_batch(method: Method, config: Any, why: str) -> SmallerBatch:
    """Halve the batch of a config; an odd one is divided by the least number that divides it.

    Raises ValueError, in a sentence, where the same training cannot be made so.
    """
    rows = config.per_device_train_batch_size
    if rows == 1:
        raise ValueError("One row at a time is as small as a batch can be.")
    reason = method.of_a_batch(config) or _of_deepspeed(config)
    if reason is not None:
        raise ValueError(f"It was not tried with a smaller batch by itself, because {reason}.")
    parts = next(number for number in range(2, rows + 1) if rows % number == 0)
    return SmallerBatch(rows=rows, parts=parts, why=why)


def _of_deepspeed(config: Any) -> str | None:
    if getattr(config, "deepspeed", None) is None:
        return None
    return "DeepSpeed's own configuration says how large a batch is"
