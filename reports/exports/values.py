"""What of a stage is exported: every metric that has a value by prompt, with the task it is of."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stagelift.evals.metrics.measures import Measure, measure, ordered
from stagelift.evals.records import Generation, Metric, Score
from stagelift.reports.numbers.values import judged_values
from stagelift.reports.records import RunRecord, StageRecord


@dataclass(frozen=True)
class Measured:
    """A metric of a stage with its values by prompt id; `task` is what its prompts are called."""

    known: Measure
    task: str
    metric: Metric
    values: Mapping[str, float]


@dataclass(frozen=True)
class Answered:
    """A response with how it was read."""

    score: Score
    generation: Generation


def measured(stage: StageRecord, run: RunRecord) -> Iterator[Measured]:
    """Yield every metric that has a value by prompt, in the order of a report; times have none."""
    for name in ordered(stage.evaluation.metrics):
        known = measure(name)
        values = judged_values(name, stage, run.base(stage))
        if values and known.family != "time":
            yield Measured(known, task_of(known, run), stage.evaluation.metrics[name], values)


def answered(stage: StageRecord, group: str | None) -> list[Answered]:
    """Return the responses to the prompts of a group, sample by sample, in the order of scores."""
    responses = {(one.id, one.sample): one for one in stage.generations.values()}
    responses |= {(one.id, one.sample): one for one in stage.later_samples}
    return [
        Answered(score, responses[score.id, score.sample])
        for score in stage.scores
        if score.group == group and (score.id, score.sample) in responses
    ]


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Write names so that they can be parts of a path, no two alike."""
    written: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain, number = plain_name(name), 2
        while plain in written.values():
            plain, number = f"{plain_name(name)}-{number}", number + 1
        written[name] = plain
    return written


def plain_name(text: str) -> str:
    """Write a name so that it can be a part of a path anywhere."""
    return re.sub(r"[^A-Za-z0-9._@-]+", "_", text)[:100].lstrip(".") or "unnamed"


def task_of(known: Measure, run: RunRecord) -> str:
    """Name a metric's task: its own, or that of the run, with its prompts where they are others."""
    if known.family == "lm-eval task":
        return known.title
    if known.task is not None:
        return known.task
    asked = str(run.contract.get("task") or run.data or "prompts")
    return asked if known.group == "test" else f"{asked}_{known.group}"
