"""A metric's difference between two recipes, or a recipe and one training, with one-sided 5%
bounds.

The bounds allow for other seeds and other problems (`two_levels`). Problems that only one side has
are taken at their worst, as `pairs` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stagelift.evals.metrics.measures import measure
from stagelift.evals.stats.difference import Difference
from stagelift.evals.stats.two_levels import (
    Parts,
    RecipeDifference,
    recipe_difference,
    two_sided_p,
)
from stagelift.reports.gates.pairs import CONFIDENCE, Paired, clusters_of
from stagelift.reports.gates.recipe_scores import table
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.numbers.values import largest_difference


@dataclass(frozen=True)
class PairedRecipes:
    """Two recipes paired by problem: `seeds` counts those of candidate and baseline, and `parts` is
    what makes their means differ.
    """

    pairs: Paired
    seeds: tuple[int, int]
    parts: Parts


def are_recipes(metric: str, candidate: StageScores, baseline: StageScores) -> bool:
    """Say whether a check is of recipes: one side has several seeds, and the two are not the same
    checkpoints, whose responses are the same bytes.
    """
    same_bytes = candidate.answers is not None and candidate.answers == baseline.answers
    is_same = same_bytes and candidate.values[metric] == baseline.values[metric]
    return bool(candidate.trainings or baseline.trainings) and not is_same


def paired_recipes(metric: str, candidate: StageScores, baseline: StageScores) -> PairedRecipes:
    """Pair two recipes by problem id. They have at least one problem in common."""
    mine, theirs = candidate.values[metric], baseline.values[metric]
    shared, alone = sorted(mine.keys() & theirs.keys()), sorted(mine.keys() ^ theirs.keys())
    known = [table(side, metric, shared) for side in (candidate, baseline)]
    bound = largest_difference(metric, np.concatenate(known, axis=None).tolist())
    clusters = clusters_of(metric, baseline, shared)
    found, least = _compared(known[0], known[1], bound, clusters)
    most = least
    if alone and measure(metric).bounds is not None:
        every = [*shared, *alone]
        wider = [table(side, metric, every) for side in (candidate, baseline)]
        all_clusters = clusters_of(metric, baseline, every)
        (_, least), (_, most) = (
            _compared(*_filled(metric, wider, worst), bound, all_clusters)
            for worst in (True, False)
        )
    assert found.parts is not None, "one side has several seeds"
    differences = known[0].mean(axis=0) - known[1].mean(axis=0)
    pairs = Paired(
        candidate=float(known[0].mean()),
        baseline=float(known[1].mean()),
        differences=tuple(differences.tolist()),
        clusters=None if clusters is None else tuple(clusters),
        bound=bound,
        least=least,
        most=most,
        missing=len(alone),
    )
    return PairedRecipes(pairs, found.seeds, found.parts)


def _compared(
    mine: np.ndarray, theirs: np.ndarray, bound: float, clusters: Sequence[str] | None
) -> tuple[RecipeDifference, Difference]:
    """Compare two tables; the difference is also returned in the form that a gate reads."""
    found = recipe_difference(mine, theirs, bound=bound, clusters=clusters, confidence=CONFIDENCE)
    gaps = mine.mean(axis=0) - theirs.mean(axis=0)
    return found, Difference(
        delta=found.delta,
        low=found.low,
        high=found.high,
        n=found.n,
        p=two_sided_p(mine, theirs, bound=bound, clusters=clusters),
        sd=float(gaps.std()),
        units=found.n if found.parts is None else found.parts.units,
        clusters=None if clusters is None else len({*clusters}),
    )


def _filled(
    metric: str, tables: Sequence[np.ndarray], worst: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fill in what is missing: at the worst for the candidate, or at its best."""
    bounds = measure(metric).bounds
    assert bounds is not None, f"{metric} has ends"
    low, high = bounds if worst else bounds[::-1]
    mine, theirs = tables
    return np.where(np.isnan(mine), low, mine), np.where(np.isnan(theirs), high, theirs)
