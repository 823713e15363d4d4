"""A metric's paired difference, candidate minus baseline, with one-sided 5% bounds.

Problems that only one side has may have gone either way: where it is known what the metric can be,
the bounds are of the worst and of the best that they can hold (Horowitz and Manski 2000, JASA
95:77). Where it is not, they are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from stagelift.evals.metrics.measures import as_judged, measure
from stagelift.evals.stats.difference import Difference, difference
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.numbers.values import largest_difference

# between one-sided 5% bounds
CONFIDENCE = 0.90


@dataclass(frozen=True)
class Paired:
    """Means of both sides over the problems that both have, and how they differ.

    `differences` are by problem, `clusters` the cluster of each where they come in clusters, and
    `bound` is the most that one can be either way. `least` and `most` are the difference with what
    is missing at its least and at its most, the same where nothing is. `missing` counts the
    problems that only one side has.
    """

    candidate: float
    baseline: float
    differences: tuple[float, ...]
    clusters: tuple[str, ...] | None
    bound: float
    least: Difference
    most: Difference
    missing: int

    @property
    def is_the_same(self) -> bool:
        """Whether every problem has the same value on both sides."""
        return not any(self.differences)


def paired(metric: str, candidate: StageScores, baseline: StageScores) -> Paired:
    """Pair two sides by problem id. They have at least one problem in common."""
    name = as_judged(metric)
    mine, theirs = candidate.values[name], baseline.values[name]
    shared = sorted(mine.keys() & theirs.keys())
    alone = sorted(mine.keys() ^ theirs.keys())
    differences = [mine[problem] - theirs[problem] for problem in shared]
    bound = largest_difference(name, [*mine.values(), *theirs.values()])
    clusters = clusters_of(name, baseline, shared)
    least = most = bounds_of(differences, bound, clusters)
    if alone and measure(name).bounds is not None:
        ends = [_ends(name, mine.get(problem), theirs.get(problem)) for problem in alone]
        all_clusters = clusters_of(name, baseline, [*shared, *alone])
        least, most = (
            bounds_of([*differences, *(end[side] for end in ends)], bound, all_clusters)
            for side in (0, 1)
        )
    return Paired(
        candidate=fmean(mine[problem] for problem in shared),
        baseline=fmean(theirs[problem] for problem in shared),
        differences=tuple(differences),
        clusters=None if clusters is None else tuple(clusters),
        bound=bound,
        least=least,
        most=most,
        missing=len(alone),
    )


def bounds_of(
    differences: Sequence[float], bound: float, clusters: Sequence[str] | None = None
) -> Difference:
    """Return a mean difference whose ends are one-sided 5% bounds.

    Where no problem differs from another, a cluster counts once: it may yet move as one.
    """
    if clusters is not None and len({*differences}) == 1:
        return difference([differences[0]] * len({*clusters}), bound=bound, confidence=CONFIDENCE)
    return difference(differences, bound=bound, clusters=clusters, confidence=CONFIDENCE)


def clusters_of(metric: str, scores: StageScores, problems: Sequence[str]) -> list[str] | None:
    """Return the cluster of each problem; one that is in none is its own. lm-eval's tasks, and
    timed batches, have ids of their own.
    """
    known = measure(metric)
    of_problems = known.group is not None and known.family != "time"
    if not of_problems or not any(problem in scores.clusters for problem in problems):
        return None
    return [scores.clusters.get(problem, f"problem {problem}") for problem in problems]


def _ends(metric: str, mine: float | None, theirs: float | None) -> tuple[float, float]:
    """Return the least and the most that a problem can differ by of which one side is not known."""
    bounds = measure(metric).bounds
    assert bounds is not None, f"{metric} has ends"
    low, high = bounds
    if mine is None:
        assert theirs is not None
        return low - theirs, high - theirs
    return mine - high, mine - low
