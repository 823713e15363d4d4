"""Which change of accuracy the chosen number of problems can show: the minimum detectable effect,
before anything is paid.

It hangs on how many problems change between two stages. Where earlier runs were measured under the
same contract, their stages say; two assumptions stand beside them: one problem in five changes, or
every second one, which is about the most.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import stdev

from stagelift.evals.metrics.measures import in_group
from stagelift.evals.records import Group
from stagelift.evals.stats.estimates import prompt_means
from stagelift.evals.stats.power import mde
from stagelift.harness.forecast.history import parents
from stagelift.reports.folders import RunsFolder

# shares of problems that change, as many for the better as for the worse
ASSUMED, MOST = 0.2, 0.5


@dataclass(frozen=True)
class Sensitivity:
    """Smallest differences, as shares, that `n` problems show with 80% power.

    `earlier` goes from the least to the most of `pairs` of stages that were measured before, None
    where there are none; `assumed` and `most` are for shares of problems that change.
    """

    metric: str
    n: int
    earlier: tuple[float, float] | None
    pairs: int
    assumed: float
    most: float


def sensitivity(root: Path, contract_id: str, counts: Mapping[Group, int]) -> list[Sensitivity]:
    """Return it for the accuracy of each group of problems, by how many there are."""
    return [_of_group(root, contract_id, group, n) for group, n in counts.items() if n > 1]


def _of_group(root: Path, contract_id: str, group: Group, n: int) -> Sensitivity:
    spreads = [spread for spread in _spreads(root, contract_id, group) if spread > 0]
    effects = sorted(mde(spread, n) for spread in spreads)
    return Sensitivity(
        metric=in_group("accuracy", group),
        n=n,
        earlier=(effects[0], effects[-1]) if effects else None,
        pairs=len(effects),
        assumed=mde(sqrt(ASSUMED), n),
        most=mde(sqrt(MOST), n),
    )


def _spreads(root: Path, contract_id: str, group: Group) -> Iterator[float]:
    """Yield the standard deviation of the paired differences between each node and its parent."""
    scores = {name: _accuracies(root, name, contract_id, group) for name in parents(root)}
    for name, parent in parents(root).items():
        mine, theirs = scores[name], scores.get(parent or "", {})
        shared = [mine[problem] - theirs[problem] for problem in mine if problem in theirs]
        if len(shared) > 1:
            yield stdev(shared)


def _accuracies(root: Path, node: str, contract_id: str, group: Group) -> dict[str, float]:
    try:
        scores = RunsFolder(root).node(node).evaluation(contract_id).read_scores()
    except (OSError, ValueError):
        return {}
    return prompt_means(
        [
            (one.id, float(one.correct))
            for one in scores
            if one.group == group and one.correct is not None
        ]
    )
