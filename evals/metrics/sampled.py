"""Sampled accuracy: how often a response drawn at temperature 1 is right, and pass@k of the draws.

They stand beside the greedy responses, and are of the model's whole distribution, which is what
reinforcement changes: a model can put more weight on right answers while its most likely one stays
as it was, and the other way round. They do not measure how a model does at another temperature.
"""

from collections.abc import Sequence

from stagelift.evals.metrics.accuracy import pass_metrics, share
from stagelift.evals.metrics.measures import SAMPLED_ACCURACY, in_group
from stagelift.evals.records import Metric, Score

# the distribution as it was trained, neither sharpened nor flattened
TEMPERATURE = 1.0


def sampled_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Compute the share of right samples and pass@k, both over prompts; empty where nothing was
    sampled.

    pass@k is the unbiased estimate of Chen et al. 2021.
    """
    scored = [score for score in scores if score.correct is not None]
    accuracy = share(scored, "correct")
    if accuracy is None:
        return {}
    passes = {in_group(name, "sampled"): metric for name, metric in pass_metrics(scored).items()}
    return {SAMPLED_ACCURACY: accuracy, **passes}
