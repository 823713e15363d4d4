"""Response length in tokens and characters, and how often the token limit cut a response off.

Lengths of cut-off responses are the limit, so a mean over many of them understates how long the
model would go on. Characters can always be counted; tokens only where the source says how many
there were.
"""

from collections.abc import Sequence

from stagelift.evals.metrics.accuracy import share
from stagelift.evals.metrics.clusters import clusters_of, of_prompts
from stagelift.evals.metrics.measures import Measure, of_family, quantiles
from stagelift.evals.records import Metric, Score
from stagelift.evals.stats import estimates

_SHARE_BELOW = {"median": 0.5, "p90": 0.9}


def length_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Mean, median and 90th percentile over prompts (of each prompt's mean), and the share that
    reached the limit.
    """
    metrics: dict[str, Metric] = {}
    for length in of_family("length", "test"):
        metrics |= _of_length(length, scores)
    truncated = share(scores, "truncated")
    if truncated is not None:
        metrics["truncated"] = truncated
    return metrics


def _of_length(length: Measure, scores: Sequence[Score]) -> dict[str, Metric]:
    values = [(score.id, getattr(score, str(length.field))) for score in scores]
    if not values or any(value is None for _, value in values):
        return {}
    means = estimates.prompt_means(values)
    lengths, clusters = list(means.values()), of_prompts(clusters_of(scores), means)
    by_quantile = {
        quantile.name: estimates.quantile(lengths, _SHARE_BELOW[str(quantile.quantile)], clusters)
        for quantile in quantiles(length.name)
    }
    known = {length.name: estimates.mean(lengths, clusters)} | by_quantile
    return {name: estimates.within(length.ends, metric) for name, metric in known.items()}
