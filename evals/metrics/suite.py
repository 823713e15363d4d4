"""Score one model's generations: every response is read the same way, then every metric is computed
from the records.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

from stagelift.evals.data.problems import Problem
from stagelift.evals.metrics.accuracy import accuracy_metrics, count_outcomes
from stagelift.evals.metrics.clusters import clusters_of
from stagelift.evals.metrics.length import length_metrics
from stagelift.evals.metrics.measures import in_group, win_rate_name
from stagelift.evals.metrics.own_scores import own_metrics
from stagelift.evals.metrics.retention import instruction_metrics, looping_metrics
from stagelift.evals.metrics.sampled import sampled_metrics
from stagelift.evals.metrics.scoring import score
from stagelift.evals.metrics.winrate import (
    length_controlled_win_rate,
    win_rate,
    win_tie_loss,
)
from stagelift.evals.records import Generation, Group, Metric, Outcome, Role, Score, Verdict


class Measurement(NamedTuple):
    """Everything computed from one model's scores and verdicts."""

    metrics: dict[str, Metric]
    outcomes: dict[Outcome, int]
    win_tie_loss: dict[str, tuple[int, int, int]]
    extrapolated: list[str]


def score_responses(generations: Sequence[Generation], problems: Sequence[Problem]) -> list[Score]:
    """Read every response to the problems, in the order of `problems` (samples together)."""
    asked = {problem.id: problem for problem in problems}
    answered = [
        (generation, asked[generation.id]) for generation in generations if generation.id in asked
    ]
    return [
        score(generation, problem.question, problem.answer, problem.cluster)
        for generation, problem in answered
    ]


def compute_metrics(scores: Sequence[Score], verdicts: Sequence[Verdict]) -> Measurement:
    """Compute every metric of scores and verdicts.

    Accuracy comes for both groups of problems, lengths for the `test` problems and the preference
    prompts; outcomes are those of the `test` problems.
    """
    groups = {
        group: [score for score in scores if score.group == group] for group in get_args(Group)
    }
    outcomes = count_outcomes(groups["test"])
    measurement = Measurement(_score_metrics(groups), outcomes, {}, [])
    for (against, group), judged in _by_pairing(verdicts).items():
        clusters = clusters_of(groups[group])
        _add_win_rate(measurement, win_rate_name(against, group), judged, clusters)
        at_equal_lengths = win_rate_name(against, group, equal_lengths=True)
        _add_length_controlled(measurement, at_equal_lengths, judged, clusters)
    return measurement


def _score_metrics(groups: Mapping[Group, Sequence[Score]]) -> dict[str, Metric]:
    return {
        **own_metrics([*groups["test"], *groups["task"]]),
        **accuracy_metrics(groups["test"]),
        **sampled_metrics(groups["sampled"]),
        **_named(accuracy_metrics(groups["held_out"]), "held_out"),
        **length_metrics(groups["test"]),
        **_named(length_metrics(groups["preference"]), "preference"),
        **instruction_metrics(groups["instructions"]),
        **looping_metrics(groups),
    }


def _named(metrics: Mapping[str, Metric], group: Group) -> dict[str, Metric]:
    return {in_group(name, group): metric for name, metric in metrics.items()}


def _by_pairing(verdicts: Sequence[Verdict]) -> dict[tuple[Role, Group], list[Verdict]]:
    pairings: dict[tuple[Role, Group], list[Verdict]] = {}
    for verdict in verdicts:
        pairings.setdefault((verdict.against, verdict.group), []).append(verdict)
    return pairings


def _add_win_rate(
    measurement: Measurement, name: str, verdicts: Sequence[Verdict], clusters: Mapping[str, str]
) -> None:
    rate = win_rate(verdicts, clusters)
    if rate is None:
        return
    measurement.metrics[name] = rate
    measurement.win_tie_loss[name] = win_tie_loss(verdicts)


def _add_length_controlled(
    measurement: Measurement, name: str, verdicts: Sequence[Verdict], clusters: Mapping[str, str]
) -> None:
    rate = length_controlled_win_rate(verdicts, clusters)
    if rate is None:
        return
    measurement.metrics[name] = Metric(
        value=rate.value,
        low=rate.low,
        high=rate.high,
        n=rate.n,
        clusters=rate.difference.clusters,
    )
    if rate.extrapolates:
        measurement.extrapolated.append(name)
