"""Which change of accuracy the chosen number of problems can show: the minimum detectable effect,
before anything is paid.

It hangs on how many problems change between two stages. Where earlier runs were measured under the
same contract, their stages say; two assumptions stand beside them: one problem in five changes, or
every second one, which is about the most.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stagelift.evals.metrics.measures import in_group
from stagelift.evals.records import Group
from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.estimates import prompt_means
from stagelift.evals.stats.planning import detectable, detectable_share
from stagelift.harness.forecast.history import parents
from stagelift.reports.folders import RunsFolder

# shares of problems that change, as many for the better as for the worse
ASSUMED, MOST = 0.2, 0.5


@dataclass(frozen=True)
class Sensitivity:
    """Smallest differences, as shares, that `n` problems show with 80% power.

    `earlier` goes from the least to the most of `pairs` of stages that were measured before, None
    where there are none; `assumed` and `most` are for shares of problems that change, None where
    even a change of all could go unseen.
    """

    metric: str
    n: int
    earlier: tuple[float, float] | None
    pairs: int
    assumed: float | None
    most: float | None


def sensitivity(root: Path, contract_id: str, counts: Mapping[Group, int]) -> list[Sensitivity]:
    """Return it for the accuracy of each group of problems, by how many there are."""
    return [_of_group(root, contract_id, group, n) for group, n in counts.items() if n > 1]


def _of_group(root: Path, contract_id: str, group: Group, n: int) -> Sensitivity:
    earlier = [replace(seen, n=n, units=n) for seen in _earlier(root, contract_id, group)]
    effects = sorted(effect for seen in earlier if (effect := detectable(seen)) is not None)
    return Sensitivity(
        metric=in_group("accuracy", group),
        n=n,
        earlier=(effects[0], effects[-1]) if effects else None,
        pairs=len(effects),
        assumed=detectable_share(n, ASSUMED),
        most=detectable_share(n, MOST),
    )


def _earlier(root: Path, contract_id: str, group: Group) -> Iterator[Difference]:
    """Yield the paired differences between each node and its parent that changed anything."""
    scores = {name: _accuracies(root, name, contract_id, group) for name in parents(root)}
    for name, parent in parents(root).items():
        mine, theirs = scores[name], scores.get(parent or "", {})
        changes = [mine[problem] - theirs[problem] for problem in mine if problem in theirs]
        if len(changes) > 1 and any(changes):
            yield difference(changes, bound=1.0)


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
