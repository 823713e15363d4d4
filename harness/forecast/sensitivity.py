"""Which change the chosen number of problems can show: the minimum detectable effect of accuracy,
and of what the retention suite measures, before anything is paid.

It is of the verdict, as in a report: of the same tests, in clusters where problems come in any, at
the level that Holm leaves each test of a family of which nothing else is shown. It hangs on how
many problems change between two models. Where earlier runs were measured under the same contract,
their stages say; two assumptions stand beside them: one problem in five changes, or every second
one, which is about the most. They take the problems of a cluster to be no more alike than others:
where they are, less can be shown, as earlier stages then tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

from stagelift.evals.metrics.clusters import clusters_of
from stagelift.evals.metrics.measures import SHARE, measure
from stagelift.evals.metrics.retention import likelihood_clusters, likelihood_values
from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.families import ALPHA
from stagelift.evals.stats.planning import detectable, detectable_share
from stagelift.harness.forecast.history import parents
from stagelift.harness.forecast.material import Prompts
from stagelift.harness.forecast.planned_tests import variant_tests
from stagelift.harness.graph.node import Plan
from stagelift.reports.folders import RunsFolder
from stagelift.reports.numbers.values import largest_difference, score_values

# shares of problems that change, as many for the better as for the worse
ASSUMED, MOST = 0.2, 0.5


@dataclass(frozen=True)
class Sensitivity:
    """Smallest differences, as shares (or bits per byte), that `n` problems show with 80% power, in
    so many `clusters` where they come in any, in a family of so many `tests`.

    They are between a stage and the one before it, or `against` the variant that is the reference.

    `earlier` goes from the least to the most of `pairs` of stages that were measured before, None
    where there are none; `assumed` and `most` are for shares of problems that change, None where
    even a change of all could go unseen, and of what is no share.
    """

    metric: str
    n: int
    clusters: int | None
    tests: int
    earlier: tuple[float, float] | None
    pairs: int
    assumed: float | None
    most: float | None
    against: str | None = None


def sensitivity(
    root: Path, contract_id: str, prompts: Mapping[str, Prompts], tests: Mapping[str, int]
) -> list[Sensitivity]:
    """Return it for each metric, by how many prompts there are, and how many tests are made."""
    return [
        _of_metric(metric, of, tests.get(metric, 1), list(_earlier(root, contract_id, metric)))
        for metric, of in prompts.items()
        if of.n > 1
    ]


def of_variants(plan: Plan, prompts: Mapping[str, Prompts]) -> list[Sensitivity]:
    """Return it for variants against their reference; empty where there are none, and with three
    seeds or more, whose differences are over seeds.
    """
    if len(plan.recipe.seeds) > 2:
        return []
    tests = variant_tests(plan)
    return [
        replace(_of_metric(metric, of, tests[metric], []), against=plan.reference)
        for metric, of in prompts.items()
        if of.n > 1 and metric in tests
    ]


def _of_metric(metric: str, prompts: Prompts, tests: int, earlier: list[Difference]) -> Sensitivity:
    level = ALPHA / tests
    planned = [detectable(_planned(seen, prompts.n), level) for seen in earlier]
    effects = sorted(effect for effect in planned if effect is not None)
    # which share changes says nothing of what is no share
    is_share = measure(metric).bounds == SHARE
    return Sensitivity(
        metric=metric,
        n=prompts.n,
        clusters=prompts.clusters,
        tests=tests,
        earlier=(effects[0], effects[-1]) if effects else None,
        pairs=len(effects),
        assumed=_of_share(ASSUMED, prompts, level) if is_share else None,
        most=_of_share(MOST, prompts, level) if is_share else None,
    )


def _of_share(moved: float, prompts: Prompts, level: float) -> float | None:
    """Return what is shown where that share of problems changes."""
    if prompts.clusters in (None, prompts.n):
        return detectable_share(prompts.n, moved, level)
    size = prompts.n / prompts.clusters
    # the mean of a cluster's changes
    spread = sqrt(moved / size)
    whole = Difference(0.0, -1.0, 1.0, prompts.n, 1.0, spread, prompts.clusters, prompts.clusters)
    effect = detectable(whole, level)
    return None if effect is None or effect > 1 else effect


def _planned(seen: Difference, n: int) -> Difference:
    """Take a difference as one of n prompts; clusters stay as many."""
    return seen if seen.clusters is not None else replace(seen, n=n, units=n)


def _earlier(root: Path, contract_id: str, metric: str) -> Iterator[Difference]:
    """Yield the paired differences between each node and its parent that changed anything."""
    nodes = {name: _values(root, name, contract_id, metric) for name in parents(root)}
    for name, parent in parents(root).items():
        mine, clusters = nodes[name]
        theirs, _ = nodes.get(parent or "", ({}, {}))
        shared = [problem for problem in mine if problem in theirs]
        changes = [mine[problem] - theirs[problem] for problem in shared]
        if len(changes) > 1 and any(changes):
            seen = [each[problem] for each in (mine, theirs) for problem in shared]
            groups = [clusters[problem] for problem in shared] if clusters else None
            bound = largest_difference(metric, seen)
            yield difference(changes, bound=bound, clusters=groups)


def _values(
    root: Path, node: str, contract_id: str, metric: str
) -> tuple[dict[str, float], dict[str, str]]:
    """Return a node's values by prompt, and the prompts' clusters where the metric is the retention
    suite's; nothing where that cannot be read.
    """
    group = measure(metric).group
    evaluation = RunsFolder(root).node(node).evaluation(contract_id)
    try:
        if group in ("choices", "passages"):
            rows = evaluation.read_choices(), evaluation.read_passages()
            return likelihood_values(*rows).get(metric, {}), likelihood_clusters(*rows)
        scores = evaluation.read_scores()
    except (OSError, ValueError):
        return {}, {}
    of_group = [score for score in scores if score.group == group]
    return score_values(metric, scores), clusters_of(of_group) if group == "instructions" else {}
