"""Seconds per response: how long the engine took over a batch, by the responses in it.

A batch is what an engine is handed at once (four times `batch_size` prompts). Its responses share
the machine and end when the last one does, so its time is one observation, however many they are: n
counts batches, and two stages are paired batch by batch, which hold the same prompts in both. Every
batch counts alike, the last one as well, which may be smaller and so slower by the response. Few
prompts are one batch: then there is a mean, and nothing to say about its spread.

Only the engine's own time over problems is in it: not loading the model, not preference prompts,
pairs or lm-eval's tasks, and not judging. It is of the machine as it was: what else ran there, and
what was compiled or cached at the first batch, is in it, and no other machine will give the same.
"""

from collections.abc import Sequence

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric, Timing
from stagelift.evals.stats import estimates

SECONDS_PER_RESPONSE = "seconds_per_response"


def seconds_by_batch(timings: Sequence[Timing]) -> dict[str, float]:
    """Return seconds per response by batch, the mean over its samples.

    A batch that a kill interrupted was made again: the last time counts.
    """
    last = {(timing.batch, timing.sample): timing for timing in timings}
    return estimates.prompt_means(
        [
            (timing.batch, timing.seconds / timing.responses)
            for timing in last.values()
            if timing.group not in ("sampled", "preference", "instructions")
        ]
    )


def timing_metrics(timings: Sequence[Timing]) -> dict[str, Metric]:
    """Compute the mean over batches; empty where no time was taken."""
    values = list(seconds_by_batch(timings).values())
    if not values:
        return {}
    ends = measure(SECONDS_PER_RESPONSE).ends
    return {SECONDS_PER_RESPONSE: estimates.within(ends, estimates.mean(values))}
