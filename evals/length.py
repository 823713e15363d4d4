"""Response length in tokens, and how often the token limit cut a response off.

Lengths of cut-off responses are the limit, so a mean over many of them understates how long the model would go on.
"""

from collections.abc import Sequence

from evals.records import Metric, Score
from evals.stats import mean, proportion, quantile


def length_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Mean, median and 90th percentile in tokens, and the share of responses that reached the limit."""
    lengths = [score.n_tokens for score in scores]
    return {
        "length_tokens": mean(lengths),
        "length_tokens_median": quantile(lengths, 0.5),
        "length_tokens_p90": quantile(lengths, 0.9),
        "truncated": proportion(sum(score.truncated for score in scores), len(scores)),
    }
