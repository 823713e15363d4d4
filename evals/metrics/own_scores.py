"""Scores of a user's own tasks: how responses are scored, and the metric of each scorer.

A metric is the mean over the prompts that the scorer measured: where it said nothing or failed, a
prompt is left out, and n says so. What a scorer does not look for is not measured.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagelift.evals.credentials import without_credentials
from stagelift.evals.data.own_rows import OwnProblem
from stagelift.evals.metrics.clusters import clusters_of, of_prompts
from stagelift.evals.metrics.measures import SHARE, measure
from stagelift.evals.metrics.scorers.known import Named, score_all
from stagelift.evals.metrics.scoring import as_stored, unscored
from stagelift.evals.records import Generation, Metric, Outcome, Score, Scored
from stagelift.evals.stats import estimates

# by task
Scorers = Mapping[str, Sequence[Named]]


def score_own(
    generations: Iterable[Generation], problems: Iterable[OwnProblem], scorers: Scorers
) -> list[Score]:
    """Score every response to the problems; `scorers` are by task."""
    asked = {problem.id: problem for problem in problems}
    return [
        own_score(generation, asked[generation.id], scorers[asked[generation.id].task])
        for generation in generations
        if generation.id in asked
    ]


def own_score(generation: Generation, problem: OwnProblem, scorers: Sequence[Named]) -> Score:
    """Score one response to a problem of a user's task."""
    generation, question, target = as_stored(generation, problem.question, problem.target)
    known = unscored(generation, question, target, problem.cluster)
    known = known.model_copy(update={"row": _as_stored(problem.row)})
    return with_scores(known, generation.response, scorers)


def _as_stored(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a record holds of a row, without credentials."""
    text = json.dumps(row, ensure_ascii=False)
    kept = without_credentials(text)
    return row if kept == text else dict(json.loads(kept))


def with_scores(score: Score, response: str, scorers: Sequence[Named]) -> Score:
    """Score a response anew, and say by the first scorer whether it is right."""
    assert score.row is not None, "a score of a user's task has its row"
    scored = score_all(scorers, response, score.row)
    first = scorers[0]
    outcome = None
    if first.scorer.bounds == SHARE:
        outcome = outcome_of(scored[first.metric], truncated=score.truncated is True)
    return score.model_copy(
        update={
            "scored": scored,
            "correct": None if outcome is None else outcome == "correct",
            "answer": None if outcome is None else scored[first.metric].answer,
            "outcome": outcome,
        }
    )


def outcome_of(scored: Scored, *, truncated: bool) -> Outcome | None:
    """Say what became of a response by a scorer of shares; right is what has its whole share."""
    if scored.value is None:
        return None
    if scored.value >= 1:
        return "correct"
    if truncated:
        return "truncated"
    return "unparsed" if scored.unread else "wrong"


def own_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Compute the metric of every scorer, in the order that they are listed."""
    metrics: dict[str, Metric] = {}
    for name in dict.fromkeys(name for score in scores for name in score.scored):
        means = own_values(name, scores)
        if means:
            metrics[name] = _metric(name, means, clusters_of(scores))
    return metrics


def own_values(name: str, scores: Iterable[Score]) -> dict[str, float]:
    """Return a scorer's value of each prompt that it measured: the mean over its samples."""
    return estimates.prompt_means(
        [
            (score.id, value)
            for score in scores
            if score.group == measure(name).group
            and name in score.scored
            and (value := score.scored[name].value) is not None
        ]
    )


def _metric(name: str, means: Mapping[str, float], clusters: Mapping[str, str]) -> Metric:
    bounds, values = measure(name).bounds, list(means.values())
    known = {prompt: clusters[prompt] for prompt in means if prompt in clusters}
    come_in = of_prompts(known, means)
    if bounds == SHARE:
        return estimates.rate(values, come_in)
    return estimates.within(bounds, estimates.mean(values, come_in))
