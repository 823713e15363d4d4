"""Response length in tokens and characters, and how often the token limit cut a response off.

Lengths of cut-off responses are the limit, so a mean over many of them understates how long the
model would go on. Characters can always be counted; tokens only where the source says how many
there were.
"""

from collections.abc import Sequence

from stagelift.evals.metrics.accuracy import share
from stagelift.evals.records import Metric, Score
from stagelift.evals.stats import estimates

FIELDS = {"length_tokens": "n_tokens", "length_chars": "n_chars"}


def length_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Mean, median and 90th percentile over prompts (of each prompt's mean), and the share that
    reached the limit.
    """
    metrics: dict[str, Metric] = {}
    for name, field in FIELDS.items():
        values = [(score.id, getattr(score, field)) for score in scores]
        if values and all(value is not None for _, value in values):
            lengths = list(estimates.prompt_means(values).values())
            metrics |= {
                name: estimates.mean(lengths),
                f"{name}_median": estimates.quantile(lengths, 0.5),
                f"{name}_p90": estimates.quantile(lengths, 0.9),
            }
    truncated = share(scores, "truncated")
    return metrics if truncated is None else metrics | {"truncated": truncated}
