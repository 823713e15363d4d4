"""Which metrics a stage's headline is made of: the few that its report is read for.

These are accuracy, every listed task (of a user's own the first score), preference accuracy, the
win rate against the stage before and the length. A win rate by a judge that knows the targets is no
part of it: it is accuracy again. Where people's votes correct a win rate, the corrected one stands
in its place.
"""

from stagelift.evals.judges.passport import knows_targets
from stagelift.evals.metrics.measures import (
    Measure,
    by_votes,
    is_of_own_task,
    measure,
    without_stand_ins,
)
from stagelift.reports.numbers.values import is_compared
from stagelift.reports.records import StageRecord


def headline_metrics(stage: StageRecord) -> set[str]:
    """Name the headline metrics among those that a stage has."""
    names = without_stand_ins(stage.evaluation.metrics)
    return {name for name in names if is_headline(measure(name), stage)}


def is_accuracy_again(name: str, stage: StageRecord) -> bool:
    """Say whether a metric is a win rate whose judge decides by the targets that accuracy is read
    against.
    """
    judge = str(stage.evaluation.contract.get("judge"))
    return measure(name).family == "win rate" and knows_targets(judge)


def is_headline(known: Measure, stage: StageRecord) -> bool:
    """Say whether a metric is one of those that a stage's report is read for."""
    match known.family:
        case "accuracy" | "preference accuracy" | "length":
            return known.headline
        case "win rate":
            is_step = known.against != "base" and known.headline
            return is_step and not (
                is_accuracy_again(known.name, stage)
                or by_votes(known.name) in stage.evaluation.metrics
            )
        case "win rate by votes":
            return known.against != "base"
        case "lm-eval task":
            return known.name == _first_of_task(known.title, stage)
        case "own score":
            return known.name == _first_of_own_task(known.task, stage)
        case _:
            return False


def _first_of_own_task(task: str | None, stage: StageRecord) -> str | None:
    """Name the score of a user's task that is listed first."""
    names = stage.evaluation.metrics
    return next((name for name in names if is_of_own_task(name, task)), None)


def _first_of_task(task: str, stage: StageRecord) -> str | None:
    """Name the first metric of a task that was listed; of a group's tasks only the group was. What
    was imported lists all it has.
    """
    listed = [str(asked["task"]) for asked in stage.evaluation.contract.get("tasks", [])]
    if listed and task not in listed:
        return None
    names = [name for name in stage.evaluation.metrics if measure(name).title == task]
    return next((name for name in names if is_compared(name, stage)), None)
