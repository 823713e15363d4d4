"""Which metrics a stage's headline is made of: the few that its report is read for.

These are accuracy, every listed task (of a user's own the first score), preference accuracy, the
win rate against the stage before and the length. A win rate by a judge that knows the targets is no
part of it: it is accuracy and brevity again. Where people's votes correct a win rate, the corrected
one stands in its place. The main metric is the one of them that a whole report is read for.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagelift.evals.judges.passport import knows_targets
from stagelift.evals.metrics.measures import (
    Measure,
    by_votes,
    is_of_own_task,
    leading,
    measure,
    ordered,
    win_rate_name,
    without_stand_ins,
)
from stagelift.evals.records import Group, Role
from stagelift.reports.numbers.values import is_compared
from stagelift.reports.records import StageRecord

# what no report is read for where there is anything else
_COME_LAST = ("win rate", "win rate by votes", "length")


def headline_metrics(stage: StageRecord) -> set[str]:
    """Name the headline metrics among those that a stage has."""
    names = without_stand_ins(stage.evaluation.metrics)
    return {name for name in names if is_headline(measure(name), stage)}


def main_metric(stages: Sequence[StageRecord]) -> str | None:
    """Name what these stages are read for: of accuracy, scores of one's own and tasks the one that
    most of them have, of several such the first in this order.

    Where no two stages share one it is a win rate, else a length. None where nothing is measured.
    """
    every = list(dict.fromkeys(name for stage in stages for name in stage.evaluation.metrics))
    headline = {name for stage in stages for name in headline_metrics(stage)} or {*every}
    others = [name for name in ordered(headline) if measure(name).family not in _COME_LAST]
    first, rate = dict.fromkeys(filter(None, (leading(every), *others))), main_win_rate(every)
    last = [name for name in ordered(every) if measure(name).family == "length"]
    for tier in (list(first), [rate] if rate else [], last):
        found = _most_shared(tier, stages)
        # only one side of a win rate has it
        if found is not None and (measure(found).against or _is_shared(found, stages)):
            return found
    return next((name for name in (*first, *ordered(every))), None)


def main_win_rate(names: Iterable[str]) -> str | None:
    """Name the win rate that the most can be said of: on the problems, against base, by votes."""
    present = {*names}
    groups: tuple[Group, ...] = ("test", "preference")
    roles: tuple[Role, ...] = ("base", "previous", "reference")
    rates = [win_rate_name(role, group) for group in groups for role in roles]
    candidates = [name for rate in rates for name in (by_votes(rate), rate)]
    return next((name for name in candidates if name in present), None)


def is_accuracy_again(name: str, stage: StageRecord) -> bool:
    """Say whether a metric is a win rate whose judge decides by the targets that accuracy is read
    against.
    """
    return measure(name).family == "win rate" and _knows_targets(stage.evaluation.contract)


def is_headline(known: Measure, stage: StageRecord) -> bool:
    """Say whether a metric is one of those that a stage's report is read for."""
    metrics = stage.evaluation.metrics
    # of a task's metrics those alone that have a value for each document
    names = [
        name
        for name in metrics
        if measure(name).family != "lm-eval task" or is_compared(name, stage)
    ]
    return is_read_for(known, names, stage.evaluation.contract)


def is_read_for(known: Measure, names: Sequence[str], contract: Mapping[str, Any]) -> bool:
    """Say the same of metrics that were measured or will be, by their names, under a contract."""
    match known.family:
        case "accuracy" | "preference accuracy" | "length":
            return known.headline
        case "win rate":
            is_step = known.against != "base" and known.headline
            is_said_already = _knows_targets(contract) or by_votes(known.name) in names
            return is_step and not is_said_already
        case "win rate by votes":
            return known.against != "base"
        case "lm-eval task":
            return known.name == _first_of_task(known.title, names, contract)
        case "own score":
            mine = (name for name in names if is_of_own_task(name, known.task))
            return known.name == next(mine, None)
        case _:
            return False


def _knows_targets(contract: Mapping[str, Any]) -> bool:
    return knows_targets(str(contract.get("judge")))


def _first_of_task(task: str, names: Sequence[str], contract: Mapping[str, Any]) -> str | None:
    """Name the first metric of a task that was listed; of a group's tasks only the group was. What
    was imported lists all it has.
    """
    listed = [str(asked["task"]) for asked in contract.get("tasks", [])]
    if listed and task not in listed:
        return None
    return next((name for name in names if measure(name).title == task), None)


def _most_shared(names: Sequence[str], stages: Sequence[StageRecord]) -> str | None:
    return max(names, key=lambda name: _count(name, stages), default=None)


def _is_shared(name: str, stages: Sequence[StageRecord]) -> bool:
    return _count(name, stages) >= min(2, len(stages))


def _count(name: str, stages: Sequence[StageRecord]) -> int:
    return sum(name in stage.evaluation.metrics for stage in stages)
