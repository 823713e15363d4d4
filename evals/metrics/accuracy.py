"""Accuracy: the share of problems whose final number is right, read three ways; with several
samples also pass@k.

`accuracy` is our numeric reading; strict (`#### n`) and flexible (the last number) are lm-eval's.
pass@k says how many problems are solved by at least one of k samples: where accuracy rises and
pass@k does not, the model became surer of what it could do already. None of them says whether the
working is right.
"""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from stagelift.evals.metrics.clusters import clusters_of, of_prompts
from stagelift.evals.metrics.measures import of_family, pass_name
from stagelift.evals.records import Metric, Outcome, Score
from stagelift.evals.stats import estimates


def accuracy_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Compute the three accuracies and, with several samples per problem, pass@k; empty where
    nothing has a target.

    The scores of a user's own task stand in place of accuracies, and pass@k is by its first.
    """
    scored = [score for score in scores if score.correct is not None]
    if not scored:
        return {}
    if any(score.scored for score in scored):
        return pass_metrics(scored)
    readings = {
        reading.name: share(scored, reading.field)
        for reading in of_family("accuracy", "test")
        if reading.field is not None
    }
    known = {name: metric for name, metric in readings.items() if metric is not None}
    return known | pass_metrics(scored)


def share(scores: Sequence[Score], field: str) -> Metric | None:
    """Share of true values, over problems or over the clusters they come in, the samples of each
    averaged first.

    None where not every score has the field.
    """
    values = [(score.id, getattr(score, field)) for score in scores]
    if not values or any(value is None for _, value in values):
        return None
    means = estimates.prompt_means(values)
    return estimates.rate(list(means.values()), of_prompts(clusters_of(scores), means))


def pass_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Compute pass@k for powers of two, as far as every problem has so many samples."""
    fewest = min(Counter(score.id for score in scores).values())
    solved = {k: pass_at(scores, k) for k in ks(fewest)}
    clusters = clusters_of(scores)
    return {
        pass_name(k): estimates.rate(list(shares.values()), of_prompts(clusters, shares))
        for k, shares in solved.items()
    }


def pass_at(scores: Sequence[Score], k: int) -> dict[str, float]:
    """Return the unbiased estimate of pass@k of each problem."""
    outcomes: dict[str, list[bool]] = {}
    for score in scores:
        outcomes.setdefault(score.id, []).append(bool(score.correct))
    return {
        problem: estimates.pass_at_k(len(samples), sum(samples), k)
        for problem, samples in outcomes.items()
    }


def ks(samples: int) -> list[int]:
    """Which k are reported: powers of two from 2 on, and the number of samples itself."""
    if samples < 2:
        return []
    powers = [2**power for power in range(1, samples.bit_length())]
    return sorted({*powers, samples})


def count_outcomes(scores: Sequence[Score]) -> dict[Outcome, int]:
    """Count correct, wrong, unparsed, truncated and looping; they sum to the number of responses.

    Empty where nothing has a target.

    Where it is not known which responses were cut off, or which loop, there is no `truncated` or
    `looping`: those are among the others.
    """
    counts = Counter(score.outcome for score in scores if score.outcome is not None)
    if not counts:
        return {}
    outcomes: list[Outcome] = list(get_args(Outcome))
    if any(score.truncated is None for score in scores):
        outcomes.remove("truncated")
    if any(score.looping is None for score in scores):
        outcomes.remove("looping")
    return {outcome: counts[outcome] for outcome in outcomes}
