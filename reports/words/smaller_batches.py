"""What is said where memory did not hold a batch, and a stage was trained or evaluated with a
smaller one.
"""

from collections.abc import Iterator

from stagelift.evals.printed import one_line
from stagelift.evals.records import SmallerBatch
from stagelift.reports.records import StageRecord


def memory_ran_out(batch: SmallerBatch) -> str:
    """Say that memory ran out and how it goes on."""
    said = f" ({one_line(batch.why)})" if batch.why else ""
    return (
        f"memory ran out{said} with {batch.rows} at a time: done again with "
        f"{batch.rows // batch.parts}"
    )


def smaller_batches(stage: StageRecord, name: str) -> Iterator[str]:
    """Say of a stage, as a report calls it, where memory did not hold its batches."""
    trained = None if stage.training is None else stage.training.smaller_batch
    if trained is not None:
        yield (
            f"{name}: in training {memory_ran_out(trained)}, and gradients were summed over "
            f"{trained.parts} times as many batches. Each step learnt from the same rows; sums "
            "were made in another order, so that last digits may differ."
        )
    evaluated = stage.evaluation.smaller_batch
    if evaluated is not None:
        yield (
            f"{name}: in evaluation {memory_ran_out(evaluated)}. What is asked is the same; sums "
            "were made in another order, so that last digits may differ."
        )
