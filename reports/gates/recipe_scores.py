"""A recipe's scores: those of its trainings, which differ in their seed alone.

What is gated is a mean over them. A problem that one of them has no value of is left out. Win rates
at equal lengths are fitted training by training and have no such means.
"""

import hashlib
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from stagelift.reports.gates.scores import StageScores, Training


def recipe_scores(title: str, by_seed: Mapping[int, StageScores]) -> StageScores:
    """Join the scores of a stage by training seed; `title` is what the stage is called without
    it.
    """
    every = list(by_seed.values())
    first = every[0]
    problems = {metric: _shared(metric, every) for metric in first.values}
    problems = {metric: shared for metric, shared in problems.items() if shared}
    means = {
        metric: {one: fmean(scores.values[metric][one] for scores in every) for one in shared}
        for metric, shared in problems.items()
    }
    trainings = [
        Training(
            seed=seed,
            stage=scores.stage,
            values={
                metric: [scores.values[metric][one] for one in shared]
                for metric, shared in problems.items()
            },
            responses=scores.responses,
        )
        for seed, scores in by_seed.items()
    ]
    changes = {
        "stage": title,
        "answers": _answers(every),
        "values": means,
        "lengths": {},
        "responses": None,
        "trainings": tuple(trainings),
    }
    return first.model_copy(update=changes)


def table(scores: StageScores, metric: str, problems: Sequence[str]) -> np.ndarray:
    """Return values of shape (trainings, problems); NaN where there is none."""
    known = scores.values[metric]
    if not scores.trainings:
        return np.array([[known.get(one, np.nan) for one in problems]])
    places = {one: place for place, one in enumerate(known)}
    rows = [
        [training.values[metric][places[one]] if one in places else np.nan for one in problems]
        for training in scores.trainings
    ]
    return np.array(rows)


def _shared(metric: str, every: Sequence[StageScores]) -> list[str]:
    """Return the problems that every training has a value of, in the order of the first."""
    columns = [scores.values.get(metric, {}) for scores in every]
    return [one for one in columns[0] if all(one in column for column in columns)]


def _answers(every: Sequence[StageScores]) -> str | None:
    """Return a digest of all that was answered, whichever seed came first."""
    digests = [scores.answers for scores in every if scores.answers is not None]
    if len(digests) < len(every):
        return None
    return hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()[:16]
